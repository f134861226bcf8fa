"""Jobs by the clock: one scheduler, once a day where it says so, heads outside the database."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from apscheduler.schedulers.background import BackgroundScheduler

from config.settings import load_settings
from ost import jobs
from ost.models import audit
from ost.services.verify import verify
from tests.make import make_clinic


@pytest.fixture
def settings(tmp_path):
    return replace(load_settings({"OST_MODE": "demo", "OST_HOME": str(tmp_path)}))


def test_every_job_runs_and_a_daily_one_once_a_day(house, settings, clock):
    make_clinic(house)
    assert [jobs.run(job, house, settings) for job in jobs.JOBS] == [True] * len(jobs.JOBS)
    assert [jobs.run(job, house, settings) for job in jobs.JOBS] == [not job.daily for job in jobs.JOBS]
    clock.shift(86_400)
    nightly = next(job for job in jobs.JOBS if job.name == "verify")
    assert jobs.run(nightly, house, settings)
    runs = audit.job_run
    with house.read() as tx:
        results = tx.execute(sa.select(runs.c.result).where(runs.c.name == "verify")).scalars().all()
    assert len(results) == 2
    assert all(result.endswith(" 0 problems") for result in results)
    assert verify(house, settings.heads).passed
    assert "HUA1.json" in {file.name for file in settings.heads.iterdir()}


def test_a_second_scheduler_is_told_to_go(house, settings):
    with jobs.only_one(house, settings):
        with pytest.raises(jobs.AlreadyRunning), jobs.only_one(house, settings):
            pass
    with jobs.only_one(house, settings):
        pass


def test_every_job_has_its_time(house, settings):
    scheduler = BackgroundScheduler(timezone=jobs.TZ)
    jobs.schedule(scheduler, house, settings)
    assert {job.id for job in scheduler.get_jobs()} == {job.name for job in jobs.JOBS}
