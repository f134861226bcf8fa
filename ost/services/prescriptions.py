"""Write, change and stop a prescription. Orders are added to, never edited.

All under the patient's lock, so that no dose is decided on an order that is
just being changed. The rules say what a dose's size gives (`ost.rules.orders`);
an order they stop is not written, and that it was tried is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from ost import canonical
from ost.errors import Refusal
from ost.models.patient import patient
from ost.models.prescription import prescription, prescription_end, signoff
from ost.rules.orders import Lineage
from ost.services.access import require
from ost.services.gather import find_patient
from ost.services.guest import follow
from ost.services.order_draft import (
    Draft,
    Preview,
    asked,
    checked,
    order_row,
    order_rows,
    signing_role,
    today_at,
)
from ost.services.work import Actor, House, Work, new_id

CHANGED, STOPPED = "changed", "stopped"


@dataclass(frozen=True, slots=True)
class Written:
    id: str
    lineage: Lineage
    reasons: tuple[dict, ...]  # notes, and what was signed off
    state: str = "written"


@dataclass(frozen=True, slots=True)
class NotWritten:
    """What the rules say against it. `signable`: these codes an answer of the prescriber's lifts."""

    reasons: tuple[dict, ...]
    signable: tuple[str, ...]
    state: str = "refused"


def write(house: House, actor: Actor, draft: Draft, *, signed: Iterable[str] = ()) -> Written | NotWritten:
    """A new order in a slot that has none. `signed`: codes the prescriber answers for with this order.

    Refusal("order_exists") where the slot has an order: change that one.
    """
    return _write(house, actor, draft, None, tuple(signed))


def change(
    house: House, actor: Actor, prescription_id: str, draft: Draft, *, signed: Iterable[str] = ()
) -> Written | NotWritten:
    """A new order in place of `prescription_id`, from `draft.starts_on`; until then the old one goes on."""
    return _write(house, actor, draft, prescription_id, tuple(signed))


def stop(house: House, actor: Actor, prescription_id: str, reason: str) -> None:
    """End an order now. Nothing is deleted; doses already promised keep their order."""
    person_id, home = _owner(house, prescription_id)
    require(house, actor, "prescription.write", home)
    if not reason.strip():
        raise Refusal("input_invalid", fields={"reason": ["field_needed"]})
    with house.work(actor, home, "prescription.stopped", patient=person_id) as work:
        work.lock_patients([person_id])
        rows = {row.id: row for row in order_rows(work, person_id)}
        if rows[prescription_id].ended_at is not None:
            raise Refusal("order_ended_already")
        # Its chain may hold a part that still runs until the change begins.
        while prescription_id is not None:
            row = rows[prescription_id]
            if row.ended_at is None:
                _end(work, row, STOPPED, reason.strip()[:200])
            prescription_id = row.replaces
        follow.review(work, house, person_id, "order_stopped")


def preview(house: House, actor: Actor, draft: Draft, replaces: str | None = None) -> Preview:
    """The rules' answer and the lineage, nothing written."""
    with house.read() as tx:
        person = find_patient(tx, draft.patient_id)
    require(house, actor, "prescription.write", person.home_site)
    # The same path as writing, in a transaction that is left without keeping anything.
    with house.read() as tx:
        work = Work(tx, house.keys, actor, person.home_site, "preview", house.now())
        draft, past = checked(house, work, person, draft, replaces)
        return asked(house, work, person, draft, past, ())


# --- within ----------------------------------------------------------------------


def _write(house, actor, draft: Draft, replaces: str | None, signed: tuple[str, ...]) -> Written | NotWritten:
    with house.read() as tx:
        home = find_patient(tx, draft.patient_id).home_site
    require(house, actor, "prescription.write", home)
    kind = "prescription.changed" if replaces else "prescription.written"
    with house.work(actor, home, kind, patient=draft.patient_id) as work:
        person = work.lock_patients([draft.patient_id])[draft.patient_id]
        draft, past = checked(house, work, person, draft, replaces)
        answer = asked(house, work, person, draft, past, signed)
        stops = [r for r in answer.reasons if r.tier == "stop"]
        shown = tuple(canonical.plain(r) for r in answer.reasons)
        if stops:
            work.kind = "prescription.refused"
            work.payload |= {"codes": sorted(r.code for r in stops), "dose_ug": draft.dose_ug}
            return NotWritten(shown, tuple(r.code for r in stops if r.needs_signoff))
        new = new_id()
        if replaces is not None:
            replaces = _hand_over(work, order_row(work, person.id, replaces), draft.starts_on, person)
        _insert(work, person, draft, answer.lineage, new, replaces)
        for code in sorted({r.data["answers"] for r in answer.reasons if r.code == "signed_off"}):
            _sign(house, work, person, code, draft.starts_on, draft.dose_ug)
        if answer.lineage.new_episode:
            work.tx.execute(
                sa.update(patient)
                .where(patient.c.id == person.id)
                .values(episode_started_on=answer.lineage.episode_started_on)
            )
        work.payload |= {"prescription": new, "replaces": replaces}
        follow.review(work, house, person.id, "order_changed" if replaces else "order_written")
        if replaces is not None:
            follow.tell_order_changed(work, person.id, new, draft.starts_on)
        return Written(new, answer.lineage, shown)


def _hand_over(work: Work, old, starts_on: date, person) -> str:
    """End the old order; where the new one begins later, the old goes on until then as a row of its own."""
    _end(work, old, CHANGED, None)
    _, today = today_at(work, person.home_site)
    if starts_on <= today or old.starts_on >= starts_on:
        return old.id
    bridge = new_id()
    values = {c.name: getattr(old, c.name) for c in prescription.columns}
    until = starts_on - timedelta(days=1)
    values |= {
        "id": bridge,
        "replaces": old.id,
        "ends_on": min(until, old.ends_on or until),
        "prescriber": work.actor.id,
        "written_at": work.now,
    }
    work.add(prescription, **values)
    return bridge


def _insert(work: Work, person, draft: Draft, line: Lineage, new: str, replaces: str | None) -> None:
    work.add(
        prescription,
        id=new,
        patient=person.id,
        medicine=draft.medicine,
        product=draft.product,
        phase=draft.phase,
        slot=draft.slot,
        dose_ug=draft.dose_ug,
        starts_on=draft.starts_on,
        ends_on=draft.ends_on,
        days=canonical.text(list(draft.days)),
        sites=canonical.text(list(draft.sites)),
        shortest_gap_h=draft.shortest_gap_h,
        replaces=replaces,
        previous_dose_ug=line.previous_dose_ug,
        last_increase_on=line.last_increase_on,
        increase_before_on=line.increase_before_on,
        week_ago_dose_ug=line.week_ago_dose_ug,
        previous_days=canonical.text(list(line.previous_days)) if line.previous_days else None,
        elsewhere_on=draft.elsewhere_on,
        elsewhere_dose_ug=draft.elsewhere_dose_ug,
        elsewhere_source=(draft.elsewhere_source or "").strip()[:120] or None,
        episode_started_on=line.episode_started_on,
        reason=(draft.reason or "").strip()[:200] or None,
        prescriber=work.actor.id,
        site=person.home_site,
        written_at=work.now,
    )


def _end(work: Work, row, why: str, reason: str | None) -> None:
    work.add(
        prescription_end,
        prescription=row.id,
        patient=row.patient,
        why=why,
        reason=reason,
        by=work.actor.id,
        at=work.now,
    )
    work.payload.setdefault("ended", []).append(row.id)


def _sign(house, work: Work, person, code: str, day: date, dose_ug: int) -> None:
    work.add(
        signoff,
        id=new_id(),
        patient=person.id,
        code=code,
        day=day,
        dose_ug=dose_ug,
        note=None,
        by=work.actor.id,
        by_role=signing_role(house, work.actor, person.home_site),
        at=work.now,
    )


def _owner(house: House, prescription_id: str) -> tuple[str, str]:
    query = (
        sa.select(patient.c.id, patient.c.home_site)
        .join(prescription, prescription.c.patient == patient.c.id)
        .where(prescription.c.id == prescription_id)
    )
    with house.read() as tx:
        row = tx.execute(query).one_or_none()
    if row is None:
        raise Refusal("order_unknown")
    return row.id, row.home_site
