"""The person's PIN beside their card: asked for once the card was read, typed on either side of the counter.

Wrong tries are counted per person, before they are looked at, on whichever counter
they are typed: a stolen card has few guesses in the whole network, and a queue of
people with slips of the finger locks nobody else. What is said of a try that had to
wait is only that another way is open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models.patient import patient
from ost.services import identity_rows, patients
from ost.services.access import require
from ost.services.guest import passes
from ost.services.identify_at_counter import PASS_SPOKEN, Proof, Shown, counter_row, failed, present
from ost.services.identity_choice import CARD
from ost.services.identity_rows import PIN_WANTED, say
from ost.services.throttle import Subject, count_try
from ost.services.touched import owner_of_open_dose
from ost.services.work import Actor, House, Work

#: So long a card that was read waits for its PIN.
WAITS = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Asked:
    """A card waits for its PIN. `again`: the one before was wrong."""

    patient: str
    reason: str | None
    again: bool


def asked(notice: dict | None, now: datetime) -> Asked | None:
    """What the counter waits for, from its notice; None when for nothing, or no longer."""
    if not notice or notice.get("code") != PIN_WANTED:
        return None
    if now - datetime.fromisoformat(notice["at"]) > WAITS:
        return None
    return Asked(notice["asked"], notice.get("reason"), bool(notice.get("again")))


def give_pin(house: House, actor: Actor, counter_id: str, pin: str) -> Shown:
    """The PIN to the card that was just read. Refusal("card_again") when none waits for one."""
    where = counter_row(house, counter_id)
    require(house, actor, "identify.capture", where.site)
    waiting = asked(json.loads(where.notice) if where.notice else None, house.now())
    if waiting is None:
        raise Refusal("card_again")
    policy = policies.policy(where.policy)
    tries = (Subject("pin", house.keys.search_mac("patient pin", waiting.patient)),)
    lock = timedelta(minutes=policy.int("sign_in_lock_minutes"))
    with house.db.begin() as tx:
        counted = count_try(tx, tries, house.now(), policy, lock)
    if counted.wait_s:
        return _refused(house, actor, where, waiting, "pin_use_another_way", again=False)
    with house.read() as tx:
        query = sa.select(patient.c.pin_hash).where(patient.c.id == waiting.patient, patient.c.active)
        pin_hash = tx.execute(query).scalar_one_or_none()
    if not patients.pin_matches(pin_hash, pin):
        return _refused(house, actor, where, waiting, "card_pin_wrong", again=True)
    if waiting.reason == PASS_SPOKEN:
        tries = (*tries, passes.own_tries(house, where.site, actor.id))
    proof = Proof(pin_hash=pin_hash, tries=tries)
    return present(
        house, actor, counter_id, waiting.patient, CARD, waiting.reason, proof, unknown="card_unknown"
    )


def _refused(house: House, actor: Actor, where, waiting: Asked, code: str, *, again: bool) -> Shown:
    """Kept; the page asks once more, or says that another way is open. A newer touch or card stays in sight."""

    def then(work: Work) -> None:
        now = identity_rows.lock_counter(work, where.id)
        if now.notice == where.notice and owner_of_open_dose(work.tx, now.dose) is None:
            before = json.loads(now.notice)
            say(work, now, before | {"again": True} if again else {"code": code, "at": before["at"]})

    return failed(house, actor, where, CARD, code, waiting.reason, then=then)
