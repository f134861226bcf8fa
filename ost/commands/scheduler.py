"""`ost scheduler`: the one process that runs what runs by the clock."""

from __future__ import annotations

import os

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
                if parent := int(os.environ.get("OST_DEMO_BESIDE", "0")):
                    scheduler.add_job(lambda: _end_with(parent, scheduler), "interval", seconds=2)
                console.print(f"{len(jobs.JOBS)} jobs; Ctrl-C ends it")
                scheduler.start()
        except jobs.AlreadyRunning as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            return


def _end_with(parent: int, scheduler) -> None:
    """Beside the demo's server it ends with it, however that ended."""
    if os.getppid() != parent:
        scheduler.shutdown(wait=False)
