"""The invented people as rows of a patient list, sealed as `ost.services.patients` seals them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from argon2 import PasswordHasher

from ost import canonical
from ost.demo import faces
from ost.demo.people import Person
from ost.demo.treated import Treated
from ost.models import patient
from ost.rules.pins import pin_problem
from ost.services import patients, sealed
from ost.services.work import Work

#: Invented people's PINs, printed by `ost demo cards`: hundreds of them in a second, where a real one costs 50 ms.
_CHEAP = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


def write(
    work: Work, people: Iterable[tuple[Treated, Person]], by: dict[str, str], today: date
) -> tuple[dict[str, str], dict[str, str]]:
    """Write them all; {number: card code} and {number: PIN}. `by`: who registered, by home site."""
    rows, keys, cards, pins = [], [], {}, {}
    change_no = work.next_change_no("patients")
    for treated, person in people:
        key, wrapped = work.keys.new_person_key(treated.id)
        keys.append({"person": treated.id, "wrapped": wrapped, "destroyed_at": None})
        cards[treated.number] = card = patients.new_card()
        pins[treated.number] = pin = _pin(person.birth_date)
        rows.append(
            {
                "id": treated.id,
                "home_site": treated.home,
                "number": treated.number,
                "sex": person.sex,
                "active": True,
                "low_tolerance": treated.plan.low_tolerance,
                "language": person.language,
                "priority": canonical.text(sorted(treated.plan.priority)),
                "episode_started_on": treated.episode_started_on,
                "national_id_mac": work.keys.search_mac("national_id", person.national_id),
                "card_mac": work.keys.search_mac("card", card),
                "pin_hash": _CHEAP.hash(pin),
                # Early on their first day, before the counter opens.
                "registered_at": datetime.combine(treated.starts_on - timedelta(days=1), time(22), UTC),
                "registered_by": by[treated.home],
                "change_no": change_no,
                "face_type": "image/svg+xml",
                **_sealed(key, treated.id, person, today),
            }
        )
    work.add_many(patient.person_key, keys)
    work.add_many(patient.patient, rows)
    work.payload = {"patients": len(rows)}
    return cards, pins


def _pin(born: date) -> str:
    while pin_problem(pin := f"{secrets.randbelow(10_000):04d}", born):
        pass
    return pin


def _sealed(key: bytes, who: str, person: Person, today: date) -> dict:
    face = faces.face(person.number, person.sex, (today - person.birth_date).days // 365)
    values = {
        "name": person.name,
        "national_id": person.national_id,
        "birth_date": person.birth_date,
        "phone": person.phone,
        "face": face,
    }
    return {f"{name}_sealed": sealed.seal(key, who, "patient", name, value) for name, value in values.items()}
