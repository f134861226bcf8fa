"""Read every fact one decision needs, once, into frozen `DoseFacts`.

Under the patient's lock when a dose is to be promised; without it for the
card. Decides nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.errors import Refusal
from ost.models import dose, patient, prescription, site, stock
from ost.rules.facts import (
    BottleFacts,
    DoseFacts,
    Exposure,
    HoldFacts,
    Observed,
    OrderFacts,
    PastDose,
    SignOff,
    SlotState,
)
from ost.services.guest import binding

#: How far back single doses are read: the law's gap of 14 days (替代治療實施辦法 Art. 12) and the week an
#: increase looks back on. What is older matters only as "when was the last swallow"; every decision keeps
#: what it read, so a longer window is paid for with each dose.
WINDOW_DAYS = 21

_A, _O, _R = dose.dose_attempt, dose.dose_outcome, dose.dose_release
_P, _E = prescription.prescription, prescription.prescription_end
_H, _HR = prescription.hold, prescription.hold_release
_B, _PR = stock.bottle, stock.product

_who = sa.bindparam("patient")

# Two rows at most: the serving site and the home site.
_SITES = sa.select(
    site.site.c.id, site.site.c.active, site.site.c.tz, site.site.c.medicines, site.site.c.policy
).where(site.site.c.id.in_(sa.bindparam("sites", expanding=True)))

_ORDERS = (
    sa.select(_P, _E.c.at.label("stopped_at"))
    .join_from(_P, _E, _E.c.prescription == _P.c.id, isouter=True)
    .where(_P.c.patient == _who, _P.c.slot == sa.bindparam("slot"))
    .order_by(_P.c.written_at.desc())
    .limit(20)
)

_vomited = (
    sa.select(sa.func.min(sa.func.coalesce(dose.dose_observation.c.minutes_after, 0)))
    .where(dose.dose_observation.c.attempt == _A.c.id, dose.dose_observation.c.kind == "vomited")
    .correlate(_A)
    .scalar_subquery()
)
PAST_DOSES = (
    sa.select(
        _A.c.id,
        _A.c.dosing_day,
        _A.c.slot,
        _A.c.site,
        _A.c.medicine,
        _A.c.ordered_ug,
        _A.c.dose_ug,
        _A.c.promised_at,
        _A.c.replaces,
        _O.c.outcome,
        _O.c.swallowed_ug,
        _O.c.given_at,
        _R.c.why,
        _R.c.dose_ug.label("replacement_ug"),
        _vomited.label("vomited_minutes"),
    )
    .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
    .join(_R, _R.c.attempt == _A.c.id, isouter=True)
    .where(_A.c.patient == _who, _A.c.dosing_day >= sa.bindparam("since"))
    .order_by(_A.c.dosing_day.desc(), _A.c.promised_at.desc())
)

_LAST_SWALLOW = (
    sa.select(sa.func.max(_A.c.dosing_day))
    .join_from(_A, _O, _O.c.attempt == _A.c.id)
    .join(_R, _R.c.attempt == _A.c.id, isouter=True)
    .where(
        _A.c.patient == _who,
        _A.c.dosing_day < sa.bindparam("since"),
        _R.c.attempt.is_(None),
        _O.c.swallowed_ug * 2 >= _A.c.ordered_ug,
    )
)

# What may stand against this dose: holds, sign-offs and exposures, few rows each, in one look.
_S, _X, _XR = prescription.signoff, dose.exposure, dose.exposure_review


def _flag(what: str, **columns):
    """One arm of the union: every arm has the same columns in the same order."""
    order = ("id", "code", "kind", "day", "until", "at", "amount_ug", "text", "yes", "place")
    return [sa.literal(what).label("what"), *(columns.get(name, sa.null()).label(name) for name in order)]


_FLAGS = sa.union_all(
    sa.select(
        *_flag(
            "hold",
            id=_H.c.id,
            code=_H.c.reason_code,
            kind=_H.c.kind,
            day=_H.c.since,
            until=_H.c.come_back_on,
            at=_H.c.at,
            text=_H.c.call,
            yes=_H.c.blocks,
            place=_H.c.site,
            amount_ug=sa.cast(sa.null(), sa.BigInteger),
        )
    )
    .join_from(_H, _HR, _HR.c.hold == _H.c.id, isouter=True)
    .where(_H.c.patient == _who, _HR.c.hold.is_(None)),
    sa.select(
        *_flag(
            "signoff",
            id=_S.c.id,
            code=_S.c.code,
            kind=_S.c.by_role,
            day=_S.c.day,
            at=_S.c.at,
            amount_ug=_S.c.dose_ug,
        )
    ).where(_S.c.patient == _who, _S.c.day == sa.bindparam("day")),
    sa.select(
        *_flag(
            "exposure",
            id=_X.c.attempt,
            day=_X.c.day,
            at=_X.c.at,
            amount_ug=_X.c.amount_ug,
            yes=_XR.c.exposure.is_not(None),
        )
    )
    .join_from(_X, _XR, _XR.c.exposure == _X.c.id, isouter=True)
    .where(_X.c.patient == _who),
).order_by("at")
_BOTTLES = (
    sa.select(_B, _PR.c.medicine, _PR.c.unit, _PR.c.strength_ug_per_ml, _PR.c.halves)
    .join_from(_B, _PR, _PR.c.id == _B.c.product)
    .where(
        sa.or_(
            _B.c.id == sa.bindparam("bottle"),
            sa.and_(_B.c.site == sa.bindparam("site"), _B.c.state == "open", _B.c.kind == "stock"),
        )
    )
)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts, and what the writer needs beside them."""

    facts: DoseFacts
    policies: tuple[str, ...]  # names of the packs that apply, home's first
    replaces: str | None  # the released attempt a new one stands in for
    product: str | None
    tz: str  # home site's zone


def dosing_day_of(tx: Connection, home_site: str, now: datetime) -> date:
    tz = tx.execute(sa.select(site.site.c.tz).where(site.site.c.id == home_site)).scalar_one()
    return clock.dosing_day(now, tz)


def gather(
    tx: Connection,
    person: sa.Row,
    *,
    site_id: str,
    slot: int,
    bottle: str | None,
    now: datetime,
    intoxication: tuple[str, ...] | None = None,
    coded_reasons: dict[str, str] | None = None,
) -> Gathered:
    """Facts for `person` (a patient row, locked if a write follows) at `site_id` now.

    `bottle` None: the open bottle here that fits the order is looked at.
    """
    sites = {row.id: row for row in tx.execute(_SITES, {"sites": sorted({site_id, person.home_site})})}
    if site_id not in sites:
        raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
    home, here = sites[person.home_site], sites[site_id]
    day = clock.dosing_day(now, home.tz)

    orders = tx.execute(_ORDERS, {"patient": person.id, "slot": slot}).all()
    order_row = _choose(orders, day)
    order = _order(order_row, person) if order_row else None

    since = day - timedelta(days=WINDOW_DAYS)
    past = tx.execute(PAST_DOSES, {"patient": person.id, "since": since}).all()
    slot_state, replaces = _slot_state(past, day, slot)
    # A dose that was swallowed and replaced by order (vomited, say) stays in the body's past;
    # one that was never taken does not.
    doses = tuple(past_dose(row) for row in past if row.why in (None, "replacement_ordered"))
    last_swallow = max((d.day for d in doses if _counts(d)), default=None)
    if last_swallow is None:
        last_swallow = tx.execute(_LAST_SWALLOW, {"patient": person.id, "since": since}).scalar()
    if order_row is not None and order_row.elsewhere_on is not None:
        # A dose documented elsewhere counts for the clock, if nothing here is newer.
        last_swallow = max(filter(None, (last_swallow, order_row.elsewhere_on)))

    flags = tx.execute(_FLAGS, {"patient": person.id, "day": day}).all()
    bottle_row, others = _bottles(tx, site_id, bottle, order)
    facts = DoseFacts(
        patient_id=person.id,
        patient_active=person.active,
        home_site=person.home_site,
        site=site_id,
        site_active=here.active,
        site_medicines=tuple(json.loads(here.medicines)),
        day=day,
        slot=slot,
        order=order,
        slot_state=slot_state,
        past=doses,
        last_swallow_on=last_swallow,
        holds=tuple(
            HoldFacts(h.id, h.kind, h.code, h.day, h.until, h.text, h.yes, h.place)
            for h in flags
            if h.what == "hold"
        ),
        bottle=_bottle(bottle_row) if bottle_row else None,
        observed=Observed(intoxication),
        signoffs=tuple(
            SignOff(s.id, s.code, s.day, s.amount_ug, s.kind) for s in flags if s.what == "signoff"
        ),
        exposures=tuple(
            Exposure(e.id, e.day, e.at, e.amount_ug, e.yes) for e in flags if e.what == "exposure"
        ),
        other_open_strengths=others,
        low_tolerance=person.low_tolerance,
        coded_reasons=dict(coded_reasons or {}),
        guest=binding.facts(tx, person.id, site_id, day, orders, order_row),
    )
    policies = tuple(dict.fromkeys((home.policy, here.policy)))
    return Gathered(facts, policies, replaces, bottle_row.product if bottle_row else None, home.tz)


def _choose(orders, day: date):
    """The order in force on `day`; else the newest one, so that the reason can name it."""
    for row in orders:
        if row.stopped_at is None and row.starts_on <= day and (row.ends_on is None or day <= row.ends_on):
            return row
    for row in orders:
        if row.stopped_at is None:
            return row
    return orders[0] if orders else None


def _order(row, person) -> OrderFacts:
    return OrderFacts(
        id=row.id,
        medicine=row.medicine,
        phase=row.phase,
        dose_ug=row.dose_ug,
        slot=row.slot,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        stopped_at=row.stopped_at,
        sites=tuple(json.loads(row.sites)),
        days=tuple(json.loads(row.days)),
        shortest_gap_h=row.shortest_gap_h,
        episode_started_on=row.episode_started_on or person.episode_started_on,
        previous_dose_ug=row.previous_dose_ug,
        last_increase_on=row.last_increase_on,
        increase_before_on=row.increase_before_on,
        previous_days=tuple(json.loads(row.previous_days)) if row.previous_days else None,
        week_ago_dose_ug=row.week_ago_dose_ug,
    )


def past_dose(row) -> PastDose:
    return PastDose(
        id=row.id,
        day=row.dosing_day,
        slot=row.slot,
        site=row.site,
        medicine=row.medicine,
        ordered_ug=row.ordered_ug,
        promised_ug=row.dose_ug,
        promised_at=row.promised_at,
        outcome=row.outcome,
        swallowed_ug=row.swallowed_ug,
        given_at=row.given_at,
        vomited_minutes=row.vomited_minutes,
    )


def _counts(past: PastDose) -> bool:
    """A confirmed swallow of at least half the ordered dose. [weak] DOMAIN.md section 4.

    A vomited one is left to the rules, which see its minutes: named here, it would hide a dose documented elsewhere.
    """
    return (
        past.vomited_minutes is None
        and past.swallowed_ug is not None
        and past.swallowed_ug * 2 >= past.ordered_ug
    )


def _slot_state(past, day: date, slot: int) -> tuple[SlotState, str | None]:
    """The attempt that ends this slot's chain of replacements, and what a new one replaces."""
    chain = [row for row in past if row.dosing_day == day and row.slot == slot]
    replaced = {row.replaces for row in chain}
    last = next((row for row in chain if row.id not in replaced), None)
    if last is None:
        return SlotState(None), None
    if last.why is None:
        return SlotState(last.id, last.site, last.promised_at, last.outcome), None
    # A replacement that was prepared and not given leaves the prescriber's order for it standing.
    by_id = {row.id: row for row in chain}
    asked = last
    while asked is not None and asked.why != "replacement_ordered":
        asked = by_id.get(asked.replaces)
    if asked is None:
        return SlotState(None), last.id
    return SlotState(None, replacement_ordered=True, replacement_ug=asked.replacement_ug), last.id


def _bottles(tx: Connection, site_id: str, wanted: str | None, order: OrderFacts | None):
    """The bottle meant, and the strengths of other open bottles of its medicine here."""
    rows = tx.execute(_BOTTLES, {"bottle": wanted or "", "site": site_id}).all()
    medicine = order.medicine if order else None
    if wanted:
        chosen = next((r for r in rows if r.id == wanted), None)
    else:
        fitting = [r for r in rows if r.medicine == medicine]
        chosen = max(fitting, key=lambda r: (r.opened_at is not None, r.opened_at, r.id), default=None)
    if chosen is None:
        return None, ()
    others = {
        r.strength_ug_per_ml
        for r in rows
        if r.id != chosen.id and r.site == site_id and r.state == "open" and r.medicine == chosen.medicine
    }
    return chosen, tuple(sorted(others - {chosen.strength_ug_per_ml}))


def _bottle(row) -> BottleFacts:
    return BottleFacts(
        id=row.id,
        site=row.site,
        product=row.product,
        medicine=row.medicine,
        unit=row.unit,
        strength_ug_per_ml=row.strength_ug_per_ml,
        state=row.state if row.kind == "stock" else "residue",
        balance_ul=row.balance_ul,
        expires_on=row.expires_on,
        lot=row.lot,
        halves=row.halves,
    )


def find_patient(tx: Connection, patient_id: str):
    """The patient row without a lock, for reading."""
    row = tx.execute(sa.select(patient.patient).where(patient.patient.c.id == patient_id)).one_or_none()
    if row is None:
        raise Refusal("patient_unknown")
    return row
