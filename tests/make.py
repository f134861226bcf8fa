"""A clinic in two lines: `clinic = make_clinic(house)`; `give(house, clinic)`. The rows' makers are the drills' own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from argon2 import PasswordHasher

from ost import clock
from ost.bench import makers
from ost.bench.makers import (
    make_account,
    make_bottle,
    make_counter,
    make_guest_site,
    make_prescription,
    make_product,
    make_site,
)
from ost.models import staff
from ost.services.promise import DoseRequest, Identity, promise
from ost.services.sessions import token_id
from ost.services.work import Actor, House, new_id

__all__ = [
    "PATIENT_PIN",
    "Clinic",
    "dose_request",
    "give",
    "make_account",
    "make_bottle",
    "make_clinic",
    "make_counter",
    "make_guest_site",
    "make_past_dose",
    "make_patient",
    "make_prescription",
    "make_product",
    "make_site",
    "make_witness",
]


#: Of every patient that is made here; its hash costs next to nothing.
PATIENT_PIN = "4071"
_PATIENT_PIN_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PATIENT_PIN)


def make_patient(house: House, site_id: str = "HUA1", **values) -> str:
    """A patient of that site with the PIN of all of them; `pin_hash=None`: without one."""
    return makers.make_patient(house, site_id, **{"pin_hash": _PATIENT_PIN_HASH, **values})


@dataclass
class Clinic:
    """A site with one open bottle, a nurse, a second nurse, a prescriber and a patient who came yesterday."""

    site: str
    bottle: str
    nurse: Actor
    second: Actor
    prescriber: Actor
    patient: str
    order: str
    counter: str
    dose_ug: int = 60_000
    volume_ul: int = 6_000
    extra: dict = field(default_factory=dict)


def make_clinic(house: House, code: str = "HUA1", *, came_yesterday: bool = True, sites=None) -> Clinic:
    make_site(house, code)
    bottle = make_bottle(house, code)
    person = make_patient(house, code)
    order = make_prescription(house, person, sites=sites or (code,))
    clinic = Clinic(
        site=code,
        bottle=bottle,
        nurse=make_account(house, "nurse", scope=code),
        second=make_account(house, "nurse", scope=code),
        prescriber=make_account(house, "prescriber", scope=code),
        patient=person,
        order=order,
        counter=make_counter(house, code),
    )
    if came_yesterday:
        make_past_dose(house, clinic, days_ago=1)
    return clinic


def make_past_dose(
    house: House,
    clinic: Clinic,
    *,
    days_ago: int,
    patient_id: str | None = None,
    outcome: str | None = "swallowed",
) -> str:
    """A dose of an earlier day, promised and ended by the real services with their clock set back."""
    from dataclasses import replace as changed

    from ost.services.outcome import Ending, end

    then = changed(house, now=lambda: clock.now() - timedelta(days=days_ago), memo={})
    answer = give(then, clinic, patient_id=patient_id)
    assert answer.state == "promised", answer
    if outcome:
        end(then, clinic.nurse, Ending(answer.dose_id, outcome))
    return answer.dose_id


def dose_request(clinic: Clinic, **values) -> DoseRequest:
    request = {
        "dose_id": new_id(),
        "patient_id": clinic.patient,
        "site": clinic.site,
        "bottle": clinic.bottle,
        "slot": 1,
        "seen_dose_ug": clinic.dose_ug,
        "seen_volume_ul": clinic.volume_ul,
        "identity": Identity("number_face"),
        "intoxication": (),
        **{k: v for k, v in values.items() if v is not None},
    }
    return DoseRequest(**request)


def give(house: House, clinic: Clinic, *, actor: Actor | None = None, **values):
    """Promise the clinic's patient their dose."""
    return promise(house, actor or clinic.nurse, dose_request(clinic, **values))


def make_witness(house: House, second: Actor, subject: str, act: str | None = None) -> str:
    """A witness's one-use token, as `services.witness` makes it after the PIN was right."""
    token = f"witness-{new_id()}"
    with house.work(second, None, "test.witness") as work:
        work.add(
            staff.witness_token,
            id=token_id(token),
            account=second.id,
            dose=subject,
            act=act,
            created_at=work.now,
            expires_at=work.now + timedelta(minutes=5),
        )
        work.payload = {"witness": second.id}
    return token
