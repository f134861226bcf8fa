"""An order stopped while the nurse's tap waits for the lock, or by a machine whose clock runs ahead, gives no dose."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from ost.services.prescriptions import stop
from ost.services.promise import promise
from tests.make import dose_request, give, make_clinic


@pytest.fixture
def clinic(house):
    return make_clinic(house)


def codes(answer) -> set[str]:
    return {r["code"] for r in answer.reasons}


def test_a_clock_ahead_stopped_the_order(house, clinic):
    ahead = replace(house, now=lambda: house.now() + timedelta(seconds=5), memo={})
    stop(ahead, clinic.prescriber, clinic.order, "left the programme")
    assert "order_stopped" in codes(give(house, clinic))


def test_the_time_is_taken_under_the_lock(house, clinic):
    """The tap comes first and waits; what was stopped meanwhile is stopped, and no clock looks set back."""
    started, answers = threading.Event(), []
    slow = replace(house, memo={})

    def tap():
        started.set()
        answers.append(promise(slow, clinic.nurse, dose_request(clinic)))

    with house.work(clinic.prescriber, clinic.site, "test.slow", patient=clinic.patient) as work:
        work.lock_patients([clinic.patient])
        thread = threading.Thread(target=tap)
        thread.start()
        assert started.wait(5)
        thread.join(0.5)
        assert not answers
        released_at = house.now()
    thread.join(15)
    assert answers and answers[0].state == "promised"
    from ost.models import dose

    with house.read() as tx:
        at = tx.execute(
            dose.dose_attempt.select().where(dose.dose_attempt.c.id == answers[0].dose_id)
        ).one()
    assert at.promised_at >= released_at
