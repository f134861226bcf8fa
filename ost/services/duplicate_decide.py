"""The decision on a possible duplicate, and what follows from it. The newest one counts.

"Same person": the record that does not stay can dose no more, from this
transaction on. It is inactive and held, its fingers match nowhere; where it was
dosed today or a few hours ago, or something stops its dose, the record that stays
is held too until a prescriber has looked. Such a hold goes along to a third record.
A later decision undoes this; "cannot tell" leaves the holds to a prescriber. Doses,
orders and the past stay as they are.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from ost import clock, policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.dose import dose_attempt, dose_outcome, dose_release, exposure, exposure_review
from ost.models.lookup import duplicate_decision
from ost.models.patient import fingerprint, patient, person_key
from ost.models.prescription import hold, hold_release
from ost.services.duplicate_cases import (
    CANNOT_TELL,
    DECISIONS,
    SAME_PERSON,
    Case,
    case_row,
    newest,
    record_look,
)
from ost.services.guest import follow
from ost.services.stranger import dosed_today
from ost.services.work import Actor, House, Work, new_id

#: Holds this decision places, and no policy list offers.
TWO_RECORDS, OTHER_DOSED, OTHER_STOPPED = HOLDS = (
    "one_person_two_records",
    "other_record_dosed_today",
    "other_record_stopped",
)
UNDONE = "duplicate_undone"


def decide(
    house: House, actor: Actor, case_id: str, decision: str, *, kept: str | None = None, reason: str | None
) -> None:
    """Write down what a human found. `kept`: of one person's two records, the one that stays.

    The same decision again changes nothing. Refusal("duplicate_open_dose") while either record has a dose
    whose outcome is not known; Refusal("duplicate_closed_otherwise") where the record to close, or to keep,
    is inactive for another reason.
    """
    with house.read() as tx:
        case = case_row(house, tx, actor, case_id)
    people = tuple(side.id for side in case.sides)
    _check(house, case, decision, kept, reason)
    with house.work(actor, case.sides[0].home_site, "duplicate.decided", patient=people[0]) as work:
        rows = work.lock_patients(people)
        before = newest(work.tx, case_id)
        if before is not None and (before.decision, before.kept) == (decision, kept):
            return
        if _open_dose(work, people):
            raise Refusal("duplicate_open_dose")
        if before is not None and before.decision == SAME_PERSON:
            _reopen(work, rows, _other(people, before.kept), before, release=decision != CANNOT_TELL)
            rows = work.lock_patients(people)
        if decision == SAME_PERSON:
            if not all(row.active for row in rows.values()):
                raise Refusal("duplicate_closed_otherwise")
            _close(work, rows, _other(people, kept), kept)
        made = work.add(
            duplicate_decision,
            id=new_id(),
            of_case=case_id,
            decision=decision,
            kept=kept,
            reason=reason,
            by=actor.id,
            at=work.now,
        )
        record_look(work, people)
        work.payload |= {"case": case_id, "decision": decision, "kept": kept, "id": made["id"]}
        for person in sorted(people):
            follow.review(work, house, person, "duplicate_decided")


# --- within ----------------------------------------------------------------------


def _check(house: House, case: Case, decision: str, kept: str | None, reason: str | None) -> None:
    fields = {}
    if decision not in DECISIONS:
        fields["decision"] = ["not_a_choice"]
    sides = {side.id for side in case.sides}
    if not (kept in sides if decision == SAME_PERSON else kept is None):
        fields["kept"] = ["duplicate_kept_needed"]
    with house.read() as tx:
        s = sites.site
        name = tx.execute(sa.select(s.c.policy).where(s.c.id == case.sides[0].home_site)).scalar_one()
    if reason not in policies.policy(name).list("duplicate_reasons"):
        fields["reason"] = ["reason_needed"]
    if fields:
        raise Refusal("input_invalid", fields=fields)


def _other(people: tuple[str, ...], kept: str) -> str:
    return next(p for p in people if p != kept)


def _open_dose(work: Work, people: tuple[str, ...]) -> bool:
    a, o, r = dose_attempt, dose_outcome, dose_release
    return (
        work.tx.execute(
            sa.select(a.c.id)
            .join_from(a, o, o.c.attempt == a.c.id, isouter=True)
            .join(r, r.c.attempt == a.c.id, isouter=True)
            .where(a.c.patient.in_(people), o.c.attempt.is_(None), r.c.attempt.is_(None))
            .limit(1)
        ).first()
        is not None
    )


def _close(work: Work, rows: dict, closed: str, kept: str) -> None:
    f = fingerprint
    if dosed_today(work.tx, closed, work.now) or _dosed_lately(work, closed, rows[kept].home_site):
        _hold(work, rows[kept], OTHER_DOSED)
    if _stopped(work, closed):
        _hold(work, rows[kept], OTHER_STOPPED)
    _hold(work, rows[closed], TWO_RECORDS)
    _set_active(work, closed, False)
    # The templates stay sealed where they are: a later decision brings back exactly these.
    withdrawn = work.tx.execute(
        sa.update(f)
        .where(f.c.patient == closed, f.c.withdrawn_at.is_(None))
        .values(withdrawn_at=work.now, change_no=work.next_change_no("gallery"))
    ).rowcount
    work.payload |= {"closed": closed, "fingers_withdrawn": withdrawn}


def _dosed_lately(work: Work, person: str, home: str) -> bool:
    """Whether a dose may be in the body so short a time that the next one needs a prescriber: given late yesterday."""
    s = sites.site
    site = work.tx.execute(sa.select(s.c.policy, s.c.tz).where(s.c.id == home)).one()
    today = clock.dosing_day(work.now, site.tz)
    hours = policies.policy(site.policy).int("gap_signoff_under_hours", today)
    a, o, r = dose_attempt, dose_outcome, dose_release
    query = (
        sa.select(a.c.id)
        .join_from(a, o, o.c.attempt == a.c.id)
        .join(r, r.c.attempt == a.c.id, isouter=True)
        .where(
            a.c.patient == person,
            o.c.outcome != "not_given",
            # Of today also where a replacement was ordered: part of it may have stayed down.
            sa.or_(a.c.dosing_day == today, o.c.given_at > work.now - timedelta(hours=hours)),
            sa.or_(r.c.attempt.is_(None), r.c.why == "replacement_ordered"),
        )
        .limit(1)
    )
    return work.tx.execute(query).first() is not None


def _stopped(work: Work, person: str) -> bool:
    """Whether a hold, or something swallowed that nobody has looked at, stands against this person's dose.

    Not the mark of an earlier decision that this is the record to close: that one is about the record, not the person.
    """
    h, x = hold, exposure
    held = (
        sa.select(h.c.id)
        .join_from(h, hold_release, hold_release.c.hold == h.c.id, isouter=True)
        .where(
            h.c.patient == person,
            h.c.blocks,
            h.c.reason_code != TWO_RECORDS,
            hold_release.c.hold.is_(None),
        )
        .limit(1)
    )
    exposed = (
        sa.select(x.c.id)
        .join_from(x, exposure_review, exposure_review.c.exposure == x.c.id, isouter=True)
        .where(x.c.patient == person, exposure_review.c.exposure.is_(None))
        .limit(1)
    )
    return any(work.tx.execute(query).first() is not None for query in (held, exposed))


def _reopen(work: Work, rows: dict, closed: str, before: sa.Row, *, release: bool) -> None:
    """Undo what `before`, a decision for one person, did. `release`: its holds too, else they are a prescriber's."""
    f = fingerprint
    wrapped = work.tx.execute(sa.select(person_key.c.wrapped).where(person_key.c.person == closed)).scalar()
    if wrapped is None:
        raise Refusal("duplicate_closed_otherwise")  # forgotten since: there is nothing to bring back
    _set_active(work, closed, True)
    back = work.tx.execute(
        sa.update(f)
        .where(f.c.patient == closed, f.c.withdrawn_at == before.at, f.c.template_sealed != b"")
        .values(withdrawn_at=None, change_no=work.next_change_no("gallery"))
    ).rowcount
    placed = work.tx.execute(
        sa.select(hold.c.id, hold.c.patient)
        .join(hold_release, hold_release.c.hold == hold.c.id, isouter=True)
        .where(
            hold.c.patient.in_(list(rows)),
            hold.c.reason_code.in_(HOLDS),
            hold.c.at == before.at,
            hold_release.c.hold.is_(None),
        )
    ).all()
    for row in placed if release else ():
        work.add(hold_release, hold=row.id, patient=row.patient, by=work.actor.id, reason=UNDONE, at=work.now)
    work.payload |= {"reopened": closed, "fingers_back": back}


def _set_active(work: Work, person: str, active: bool) -> None:
    work.tx.execute(
        sa.update(patient)
        .where(patient.c.id == person)
        .values(active=active, change_no=work.next_change_no("patients"))
    )


def _hold(work: Work, person: sa.Row, reason: str) -> None:
    s = sites.site
    home = work.tx.execute(sa.select(s.c.id, s.c.tz, s.c.phone).where(s.c.id == person.home_site)).one()
    today = clock.dosing_day(work.now, home.tz)
    work.add(
        hold,
        id=new_id(),
        patient=person.id,
        site=home.id,
        kind="clinical",
        reason_code=reason,
        blocks=True,
        since=today,
        come_back_on=today + timedelta(days=1),
        call=home.phone[:80],
        by=work.actor.id,
        at=work.now,
    )
