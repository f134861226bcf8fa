"""A stop that is shown is on record before anybody taps; showing can never promise anything."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from ost import clock
from ost.bench.makers import TZ
from ost.models import audit, dose
from ost.services import holds, promise
from ost.services.verify import verify
from tests import make


def _shown(clinic, name: str) -> promise.DoseRequest:
    identity = promise.Identity("number_face")
    return promise.DoseRequest(name, clinic.patient, clinic.site, clinic.bottle, 1, 0, 0, identity, None)


def _count(house, table) -> int:
    with house.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_a_shown_stop_is_kept_once_a_showing_and_its_decision_once_a_day(house):
    clinic = make.make_clinic(house)
    holds.place(
        house,
        clinic.nurse,
        clinic.patient,
        site_id=clinic.site,
        kind="clinical",
        reason_code="medical_review",
        come_back_on=clock.dosing_day(house.now(), TZ) + timedelta(days=1),
    )
    before = _count(house, dose.decision)
    first = promise.keep_stop(house, clinic.nurse, _shown(clinic, "showing-1"))
    assert "stop" in {r["tier"] for r in first.reasons}
    assert "intoxication_not_checked" not in {r["code"] for r in first.reasons}, "nobody was asked to look yet"
    assert promise.keep_stop(house, clinic.nurse, _shown(clinic, "showing-1")).again
    promise.keep_stop(house, clinic.nurse, _shown(clinic, "showing-2"))
    assert (_count(house, dose.refusal), _count(house, dose.decision)) == (2, before + 1)
    assert verify(house, None).passed


def test_showing_somebody_who_may_have_their_dose_writes_nothing(house):
    clinic = make.make_clinic(house)
    tables = (dose.refusal, dose.decision, dose.dose_attempt, audit.audit_event)
    before = [_count(house, t) for t in tables]
    assert promise.keep_stop(house, clinic.nurse, _shown(clinic, "showing-1")) is None
    assert [_count(house, t) for t in tables] == before
