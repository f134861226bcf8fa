"""`ost scheduler`: the one process that runs what runs by the clock."""

from __future__ import annotations

import click

from ost.commands.shared import console, open_house, read_settings


@click.command("scheduler")
@click.option("--once", is_flag=True, help="Run every job now, once, and end.")
def command(once: bool) -> None:
    """Run the jobs of ost/jobs.py at their times. A second one ends with a sentence."""
    from apscheduler.schedulers.blocking import BlockingScheduler

    from ost import jobs

    settings = read_settings()
    with open_house(settings) as house:
        try:
            with jobs.only_one(house, settings):
                if once:
                    for job in jobs.JOBS:
                        done = jobs.run(job, house, settings)
                        console.print(f"{job.name}: {'done' if done else 'already done today'}")
                    return
                scheduler = BlockingScheduler(timezone=jobs.TZ)
                jobs.schedule(scheduler, house, settings)
                console.print(f"{len(jobs.JOBS)} jobs; Ctrl-C ends it")
                scheduler.start()
        except jobs.AlreadyRunning as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            return
