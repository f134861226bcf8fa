"""Which service runs when: a table, and the one process that works through it.

One scheduler at a time, whoever starts a second: an advisory lock on
PostgreSQL, a lock file beside the SQLite database. A job that may run once a
day is guarded by its row in `job_run` as well, so that two clocks or a restart
cannot run it twice.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy.exc import IntegrityError

from config.settings import Settings
from ost import channels, clock
from ost.log import log
from ost.models import audit
from ost.services.fees import charge, settle
from ost.services.guest import jobs as guest_jobs
from ost.services.guest.review_all import review_all
from ost.services.messages.send import send_due
from ost.services.portal.tidy import tidy
from ost.services.verify import verify, write_heads
from ost.services.work import NETWORK, House

#: Any number, but the same in every process of one network.
ADVISORY_LOCK = 0x0057_4F53_54
TZ = "Asia/Taipei"


class AlreadyRunning(Exception):
    """Another scheduler holds the lock; this one has nothing to do."""


@dataclass(frozen=True, slots=True)
class Job:
    """`at`: cron fields on the network's clock. `daily`: at most once a business day."""

    name: str
    run: Callable[[House, Settings], str]
    at: dict[str, str]
    daily: bool = False


def _heads(house: House, settings: Settings) -> str:
    return f"{write_heads(house, settings.heads)} heads"


def _verify(house: House, settings: Settings) -> str:
    report = verify(house, settings.heads)
    if not report.passed:
        log.error("verification_failed", problems=len(report.problems))
    return f"{report.rows} rows, {report.events} events, {len(report.problems)} problems"


#: Texts going out at once: a closure's hundreds do not wait for each other.
SENDERS = 4


def _messages(house: House, settings: Settings) -> str:
    done = send_due(house, channels.open_channels(settings), SENDERS)
    return ", ".join(f"{count} {state}" for state, count in sorted(done.items()))


def _guest_review(house: House, settings: Settings) -> str:
    done = review_all(house)
    return f"{done.people} people, {done.changed} changed, {done.failed} failed" if done.changed or done.failed else ""


def _guests(house: House, settings: Settings) -> str:
    return guest_jobs.run_all(house)


def _charges(house: House, _settings: Settings) -> str:
    charged, taken_back = charge.run(house)
    return f"{charged} charged, {taken_back} taken back" if charged or taken_back else ""


def _settlements(house: House, _settings: Settings) -> str:
    charge.run(house)  # what the month still owes is in it
    return f"{settle.run(house)} settlements"


def _portal(house: House, _settings: Settings) -> str:
    return f"{tidy(house)} rows"


JOBS = (
    # A cut tail of the chain shows against a head that is at most an hour old (DESIGN.md, promise 5).
    Job("heads", _heads, {"minute": "5"}),
    Job("verify", _verify, {"hour": "3", "minute": "30"}, daily=True),
    # Minutes after midnight and then every hour: what only time changes reaches open permits.
    Job("guest_review", _guest_review, {"minute": "2"}),
    Job("messages", _messages, {"second": "*/10"}),
    Job("charges", _charges, {"minute": "*/10"}),
    # By the fifth day doses that were left open at the end of the month have their outcome.
    Job("settlements", _settlements, {"day": "5", "hour": "4"}, daily=True),
    # An unused guest day reaches the home site within the hour after the guest site has closed.
    Job("guests", _guests, {"minute": "*/5"}),
    # Where a patient was signed in is kept no longer than it is of use.
    Job("portal", _portal, {"hour": "4", "minute": "10"}, daily=True),
)


def run(job: Job, house: House, settings: Settings) -> bool:
    """Run one job now; False where its day's run was already taken."""
    day = clock.dosing_day(house.now(), TZ)
    j = audit.job_run
    mine = sa.and_(j.c.name == job.name, j.c.business_date == day, j.c.site == NETWORK)
    if job.daily:
        row = {"name": job.name, "business_date": day, "site": NETWORK, "started_at": house.now()}
        try:
            with house.db.begin() as tx:
                tx.execute(sa.insert(j), row)
        except IntegrityError:
            return False
    result = job.run(house, settings)
    if result:  # a job that runs every few seconds and found nothing to do says nothing
        log.info("job_done", job=job.name, result=result)
    if job.daily:
        with house.db.begin() as tx:
            tx.execute(sa.update(j).where(mine).values(finished_at=house.now(), result=result))
    return True


def schedule(scheduler: BaseScheduler, house: House, settings: Settings) -> None:
    """Put every job into `scheduler`, each at its time, one instance at once."""
    for job in JOBS:
        scheduler.add_job(
            run,
            CronTrigger(timezone=TZ, **job.at),
            args=[job, house, settings],
            id=job.name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=3600,
        )


@contextmanager
def only_one(house: House, settings: Settings) -> Iterator[None]:
    """Hold the scheduler's lock. AlreadyRunning where another process has it."""
    if house.db.is_sqlite:
        with _lock_file(settings.home / "scheduler.lock"):
            yield
        return
    with house.db.engine.connect() as connection:
        taken = connection.execute(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCK))).scalar_one()
        if not taken:
            raise AlreadyRunning("another scheduler is at work on this database")
        connection.commit()
        try:
            yield
        finally:
            # The pool keeps the connection, and a session's lock with it.
            connection.execute(sa.select(sa.func.pg_advisory_unlock(ADVISORY_LOCK)))
            connection.commit()


@contextmanager
def _lock_file(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning("another scheduler is at work on this database") from error
        yield
