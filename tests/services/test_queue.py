"""The day's list: who is done, missed, held or not known, and what the paper for a power cut says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit
from ost.services import counter_session, holds
from ost.services.outcome import Ending, end
from ost.services.print_list import paper
from ost.services.queue import queue
from ost.services.work import new_id
from tests.make import (
    give,
    make_account,
    make_bottle,
    make_clinic,
    make_patient,
    make_prescription,
    make_site,
)


@pytest.fixture
def clinic(house, clock):
    make_site(house, "TPE1", county="TPE", closes="12:00")
    return make_clinic(house, sites=("HUA1", "TPE1"))


def state_of(house, clinic, actor=None, site=None) -> str:
    rows = queue(house, actor or clinic.nurse, site or clinic.site).rows
    return next(r.state for r in rows if r.due.patient == clinic.patient)


@pytest.fixture
def away(house, clinic):
    """A nurse and a bottle of the other site."""
    return make_account(house, "nurse", scope="TPE1"), make_bottle(house, "TPE1")


def test_a_dose_taken_elsewhere_is_done_at_home_and_nobody_is_missed(house, clinic, away, clock):
    nurse, bottle = away
    given = give(house, clinic, actor=nurse, site="TPE1", bottle=bottle)
    assert state_of(house, clinic) == "unknown"
    end(house, nurse, Ending(given.dose_id, "swallowed"))
    assert state_of(house, clinic) == "done"
    clock.move_to(datetime(2026, 3, 10, 15, 59, 30, tzinfo=UTC))  # a minute before midnight, all sites closed
    assert state_of(house, clinic) == "done"
    assert state_of(house, clinic, nurse, "TPE1") == "done"


def test_a_dose_left_open_is_not_known_and_never_missed(house, clinic, away, clock):
    nurse, bottle = away
    give(house, clinic, actor=nurse, site="TPE1", bottle=bottle)
    clock.move_to(datetime(2026, 3, 10, 15, 59, 30, tzinfo=UTC))
    assert state_of(house, clinic) == "unknown"
    assert state_of(house, clinic, nurse, "TPE1") == "unknown"


def test_missed_only_after_the_site_closed(house, clinic, away, clock):
    nurse, _ = away
    clock.move_to(datetime(2026, 3, 10, 3, 59, tzinfo=UTC))  # 11:59
    assert state_of(house, clinic, nurse, "TPE1") == "expected"
    clock.move_to(datetime(2026, 3, 10, 4, 1, tzinfo=UTC))
    assert state_of(house, clinic, nurse, "TPE1") == "missed"
    assert state_of(house, clinic) == "expected"  # home is open until the evening


def test_an_undone_dose_is_expected_again(house, clinic):
    given = give(house, clinic)
    end(house, clinic.nurse, Ending(given.dose_id, "not_given", disposition="returned", reason="undone"))
    assert state_of(house, clinic) == "expected"


def test_a_held_person_keeps_their_row_with_the_day_to_come_back(house, clinic):
    tomorrow = house.now().date() + timedelta(days=1)
    holds.place(
        house,
        clinic.nurse,
        clinic.patient,
        site_id=clinic.site,
        kind="clinical",
        reason_code="medical_review",
        come_back_on=tomorrow,
    )
    row = next(r for r in queue(house, clinic.nurse, clinic.site).rows if r.due.patient == clinic.patient)
    assert (row.state, row.hold_reason, row.come_back_on) == ("held", "medical_review", tomorrow)


def test_the_paper_says_who_had_their_dose_and_its_code_is_on_record(house, clinic):
    other = make_patient(house, name="王小美")
    make_prescription(house, other)
    long_away = make_patient(house, name="林久未")
    make_prescription(house, long_away, elsewhere_on=house.now().date() - timedelta(days=4))
    given = give(house, clinic)
    end(house, clinic.nurse, Ending(given.dose_id, "swallowed"))
    sheet = paper(house, clinic.nurse, clinic.site)
    assert {(r.name, r.state, r.dose_ug, r.volume_ul) for r in sheet.rows} == {
        ("陳大明", "done", 60_000, 6_000),
        ("王小美", "expected", 60_000, 6_000),
        ("林久未", "expected", 30_000, 3_000),
    }
    # What the rules stop at the screen is stopped on paper too.
    stopped = {r.name: {s["code"] for s in r.stops} for r in sheet.rows if r.stops}
    assert stopped == {"林久未": {"missed_days_half_dose"}}
    e = audit.audit_event
    with house.read() as tx:
        printed = tx.execute(sa.select(e.c.payload).where(e.c.kind == "queue.printed")).scalar_one()
    assert json.loads(printed)["digest"] == sheet.digest
    assert "王小美" not in printed
    # What the paper says was given cannot be entered a second time.
    again = give(house, clinic)
    assert "already_dosed_today" in {r["code"] for r in again.reasons}


def test_who_may_not_print_gets_no_names(house, clinic):
    with pytest.raises(Refusal) as refused:
        paper(house, make_account(house, "pharmacist"), clinic.site)
    assert refused.value.code == "not_permitted"


def test_the_end_of_a_session_sweeps_what_is_open(house, clinic):
    counter_session.open_session(house, clinic.nurse, clinic.counter, new_id())
    given = give(house, clinic, counter=clinic.counter)
    left = counter_session.close_session(house, clinic.nurse, clinic.counter)
    assert [d.dose_id for d in left] == [given.dose_id]
    assert counter_session.close_session(house, clinic.nurse, clinic.counter, leave_unknown=True) == ()
    e = audit.audit_event
    with house.read() as tx:
        events = tx.execute(sa.select(e.c.payload, e.c.actor).where(e.c.kind == "counter.closed")).all()
    assert json.loads(events[-1].payload)["left_unknown"] == [given.dose_id]
    assert events[-1].actor == clinic.nurse.id
    # Left as not known: the slot stays shut until somebody says what happened.
    assert "attempt_unresolved" in {r["code"] for r in give(house, clinic).reasons}


def test_a_dose_swallowed_by_another_is_not_done_for_the_person_it_was_for(house, clinic):
    given = give(house, clinic)
    end(house, clinic.nurse, Ending(given.dose_id, "swallowed_by_other"))
    row = next(r for r in queue(house, clinic.nurse, clinic.site).rows if r.due.patient == clinic.patient)
    assert (row.state, row.hold_reason) == ("held", "swallowed_by_other")
