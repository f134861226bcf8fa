"""Look again at a person's open requests and permits when a fact about them changed, in the same transaction.

What the facts ask for is decided by `ost.rules.guest_follow`; each change is a
step like any other. The counter asks for the same facts anew with every dose
(`ost.rules.checks_guest`), so neither has to be right for the other to hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from ost import clock, policies
from ost.models import dose, guest, opening, prescription
from ost.models import site as sites
from ost.models.patient import patient as people
from ost.rules import guest as rules
from ost.rules.facts import NOT_GIVEN, DoseFacts
from ost.rules.guest_follow import Standing, asked
from ost.services import policy_of
from ost.services.gather import gather
from ost.services.guest import binding, notices, passes, steps
from ost.services.guest import days as permit_days
from ost.services.messages import outbox
from ost.services.work import House, Work

#: Reasons of `ost.rules.checks_dose` that say: a prescriber first, by the missed days. Signed off, they are notes.
MISSED = (
    "missed_days_early",
    "missed_days_prescriber",
    "missed_days_half_dose",
    "missed_days_see_prescriber",
    "new_induction_needed",
)
_TOLD = {"pause": "guest_paused", "resume": "guest_resumed", "end": "guest_ended"}

_R, _H, _G = guest.guest_request, guest.guest_head, guest.guest_permit
_D, _E = guest.permit_day, guest.permit_day_end
_P, _PE = prescription.prescription, prescription.prescription_end
_A, _O, _RL = dose.dose_attempt, dose.dose_outcome, dose.dose_release
_S, _GS = sites.site, opening.guest_site

_OPEN_OF = (
    binding.with_consent(
        sa.select(
            _H.c.request,
            _H.c.patient,
            _H.c.site,
            _H.c.home_site,
            _H.c.state,
            _H.c.permit,
            _R.c.number,
            _R.c.days,
            _R.c.orders,
            _S.c.active.label("site_active"),
            _S.c.medicines,
            _S.c.policy,
            _GS.c.listed,
            _GS.c.policy_countersign,
            *binding.CONSENT,
        )
        .join_from(_H, _R, _R.c.id == _H.c.request)
        .join(_GS, _GS.c.site == _H.c.site, isouter=True),
        site=_H.c.site,
    )
    .where(
        _H.c.patient == sa.bindparam("patient"),
        _H.c.state.in_((*rules.OPEN, *rules.IN_FORCE)),
    )
    .order_by(_H.c.request)
)
_ORDERS = (
    sa.select(_P, _PE.c.at.label("stopped_at"))
    .join_from(_P, _PE, _PE.c.prescription == _P.c.id, isouter=True)
    .where(_P.c.patient == sa.bindparam("patient"))
)
_LEFT = (
    sa.select(_D.c.day)
    .join_from(_D, _E, sa.and_(_E.c.permit == _D.c.permit, _E.c.day == _D.c.day), isouter=True)
    .where(_D.c.permit == sa.bindparam("permit"), _D.c.day >= sa.bindparam("day"), _E.c.day.is_(None))
    .order_by(_D.c.day)
)
_USED_TODAY = (
    sa.select(_A.c.id)
    .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
    .join(_RL, _RL.c.attempt == _A.c.id, isouter=True)
    .where(
        _A.c.permit == sa.bindparam("permit"),
        _A.c.dosing_day == sa.bindparam("day"),
        _RL.c.attempt.is_(None),
        sa.or_(_O.c.outcome.is_(None), _O.c.outcome != NOT_GIVEN),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class _Body:
    """What may stand against any dose of the person now, read once for all their permits."""

    clinical_hold: bool
    exposure: bool
    missed_days: bool


def review(work: Work, house: House, patient_id: str, because: str) -> None:
    """Step every open request and permit of the person as the facts ask for now. The patient is locked.

    `because`: code of what changed, kept with each step. Nothing changed: no step. Raises no Refusal of its own.
    """
    open_ = work.tx.execute(_OPEN_OF, {"patient": patient_id}).all()
    if not open_:
        return
    person = work.tx.execute(sa.select(people).where(people.c.id == patient_id)).one()
    tz = work.tx.execute(sa.select(_S.c.tz).where(_S.c.id == person.home_site)).scalar_one()
    today = clock.dosing_day(work.now, tz)
    orders = {row.id: row for row in work.tx.execute(_ORDERS, {"patient": patient_id})}
    for row in open_:
        days = _days_left(work, row, today)
        if not days:
            continue  # after its last day nothing is taken away any more: it closes, or expires, by itself
        standing = _standing(work, house, person, row, orders, days, today)
        for action, reason in asked(standing):
            _take(work, person.id, row, action, reason, because, days, today)


def tell_order_changed(work: Work, patient_id: str, order: str, starts_on: date) -> None:
    """The permit stays, the dose is another one: the person and the guest site hear that something changed."""
    for row in work.tx.execute(_OPEN_OF, {"patient": patient_id}).all():
        if row.state in rules.IN_FORCE:
            request = work.tx.execute(sa.select(_R).where(_R.c.id == row.request)).one()
            notices.tell_site(work, row.site, request, notices.ORDER_CHANGED, day=starts_on)
            dedupe = f"order:{order}:{row.request}"
            outbox.tell(
                work, patient_id, "guest_changed", dedupe, request=row.number, site=row.site, reason="order_changed"
            )


# --- within --------------------------------------------------------------------------


def _standing(work: Work, house: House, person, row, orders: dict, days: list[date], today: date) -> Standing:
    named = json.loads(row.orders)
    live = [o for o in orders.values() if o.stopped_at is None and binding.came_of(o.id, named, orders)]
    left = [o for o in live if any(_covers(o, day) for day in days)]
    body = _body(work, house, person, row) if row.state in rules.IN_FORCE else _Body(False, False, False)
    paused = row.state == rules.PAUSED
    return Standing(
        state=row.state,
        paused_for=binding.paused_for(work.tx, row.request) if paused else None,
        emergency=row.kind == binding.EMERGENCY,
        patient_active=person.active,
        order_left=bool(left),
        consent=binding.consent_stands(row, row.site, today),
        site_active=row.site_active,
        site_listed=bool(row.listed),
        designated=_designated(row, left, today),
        clinical_hold=body.clinical_hold,
        exposure=body.exposure,
        missed_days=body.missed_days,
        to_sign=row.state in rules.IN_FORCE and _to_sign(work, row, left, orders, days, today),
    )


def _days_left(work: Work, row, today: date) -> list[date]:
    if row.permit is None:
        return [d for d in map(date.fromisoformat, json.loads(row.days)) if d >= today]
    return list(work.tx.execute(_LEFT, {"permit": row.permit, "day": today}).scalars())


def _covers(order, day: date) -> bool:
    return order.starts_on <= day and (order.ends_on is None or day <= order.ends_on)


def _designated(row, left: list, today: date) -> bool:
    if not left or not policies.policy(row.policy).bool("site_medicine_designation", today):
        return True
    return bool({o.medicine for o in left} & set(json.loads(row.medicines)))


def _to_sign(work: Work, row, left: list, orders: dict, days: list[date], today: date) -> bool:
    """Whether an order of the next day has to be countersigned there and is not. An order that names the site need
    not be; nor, under a closure, any."""
    if row.kind == binding.EMERGENCY or not countersign_wanted(work.tx, row, today):
        return False
    next_ = [o for o in left if _covers(o, days[0]) and row.site not in json.loads(o.sites)]
    signed = binding.signed_orders(work.tx, row.request, row.patient, row.site, days[0])
    return any(not binding.is_signed(o, signed, orders) for o in next_)


def countersign_wanted(tx, row, today: date) -> bool:
    """By the site's own choice, or the pack of either site. `row`: has `site`, `home_site`, `policy_countersign`."""
    if row.policy_countersign:
        return True
    packs = tx.execute(sa.select(_S.c.policy).where(_S.c.id.in_([row.site, row.home_site]))).scalars()
    return any(policies.policy(pack).bool("guest_countersign_required", today) for pack in set(packs))


def _body(work: Work, house: House, person, row) -> _Body:
    """The same facts and rules as at the counter, for every slot the request names an order of."""
    found = []
    for slot in _slots(work, row):
        seen = gather(work.tx, person, site_id=row.site, slot=slot, bottle=None, now=work.now)
        _policy, verdict = policy_of.decide(house, work.tx, seen, work.now, before_check=True)
        stops = {r.code for r in verdict.reasons if r.tier == "stop"}
        found.append((seen.facts, stops))
    return _Body(
        clinical_hold=any(_held(facts, stops) for facts, stops in found),
        exposure=any("exposure_uncleared" in stops for _, stops in found),
        missed_days=any(stops & set(MISSED) for _, stops in found),
    )


def _slots(work: Work, row) -> list[int]:
    query = sa.select(_P.c.slot).where(_P.c.id.in_(json.loads(row.orders))).distinct().order_by(_P.c.slot)
    return list(work.tx.execute(query).scalars()) or [1]


def _held(facts: DoseFacts, stops: set[str]) -> bool:
    return "on_hold" in stops and any(h.kind == "clinical" and h.blocks for h in facts.holds)


def _take(work: Work, person: str, row, action: str, reason: str | None, because: str, days, today: date) -> None:
    data: dict = {"because": because}
    if action == "end":
        used = row.permit is not None and work.tx.execute(_USED_TODAY, {"permit": row.permit, "day": today}).first()
        first = today + timedelta(days=1) if used else today
        data["from_day"] = first.isoformat()
        if row.permit is not None:
            permit_days.end_days(work, row.permit, [d for d in days if d >= first], permit_days.ENDED)
            passes.revoke(work, row.permit)
    steps.take(work, row.request, action, steps.SYSTEM, reason=reason, data=data)
    step = work.tx.execute(sa.select(_H.c.step).where(_H.c.request == row.request)).scalar_one()
    told = {"request": row.number, "site": row.site, "days": [d.isoformat() for d in days], "reason": reason}
    outbox.tell(work, person, _TOLD[action], f"{action}:{row.request}:{step}", **told)
