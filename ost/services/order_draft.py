"""An order before it is written: its normal form, what came before it, and what the rules say.

Reads and asks; writes nothing. `prescriptions` writes, under the patient's lock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta

import sqlalchemy as sa

from ost import clock, policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.patient import patient
from ost.models.prescription import prescription, prescription_end
from ost.models.stock import product
from ost.rules.access import permissions_of
from ost.rules.facts import INDUCTION, PHASES, OrderFacts, Reason, SignOff
from ost.rules.orders import Lineage, PastOrder, check_order, lineage
from ost.services import policy_of
from ost.services.access import county_of
from ost.services.gather import gather
from ost.services.work import Actor, House, Work

SLOTS = (1, 2, 3)
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
#: An order that begins later than this was a slip in the year.
FURTHEST_START_DAYS = 366


@dataclass(frozen=True, slots=True)
class Draft:
    """An order as somebody means to write it."""

    patient_id: str
    medicine: str
    phase: str
    dose_ug: int
    starts_on: date
    slot: int = 1
    ends_on: date | None = None
    days: tuple[int, ...] = EVERY_DAY
    sites: tuple[str, ...] = ()  # beside the home site, which is always one
    product: str | None = None
    shortest_gap_h: int | None = None
    reason: str | None = None
    # A last dose documented at another place (transfer, hospital): the tolerance it stands for.
    elsewhere_on: date | None = None
    elsewhere_dose_ug: int | None = None
    elsewhere_source: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What writing it would mean, before it is written."""

    lineage: Lineage
    reasons: tuple[Reason, ...]
    policy: str


def checked(house, work: Work, person, draft: Draft, replaces: str | None) -> tuple[Draft, list]:
    """The draft in its normal form, and every order row of the person; or Refusal with all wrong fields."""
    tz, today = today_at(work, person.home_site)
    fields: dict[str, list[str]] = {}
    if not person.active:
        raise Refusal("patient_not_active_for_order")
    if draft.phase not in PHASES:
        fields["phase"] = ["not_a_choice"]
    if draft.slot not in SLOTS:
        fields["slot"] = ["not_a_choice"]
    if not draft.days or not set(draft.days) <= set(EVERY_DAY):
        fields["days"] = ["not_a_choice"]
    if draft.dose_ug <= 0:
        fields["dose"] = ["amount_positive"]
    if draft.starts_on < today:
        fields["starts_on"] = ["order_starts_in_past"]
    elif draft.starts_on > today + timedelta(days=FURTHEST_START_DAYS):
        fields["starts_on"] = ["date_impossible"]
    if draft.ends_on is not None and draft.ends_on < draft.starts_on:
        fields["ends_on"] = ["order_ends_before_start"]
    _check_elsewhere(draft, today, gap_days(work, person.home_site, draft.starts_on), fields)
    if draft.shortest_gap_h is not None and not 1 <= draft.shortest_gap_h <= 24 * 40:
        fields["shortest_gap_h"] = ["not_a_choice"]
    if not _medicine_known(work, draft):
        fields["medicine"] = ["medicine_unknown"]
    elif draft.product is not None and not _product_fits(work, draft):
        fields["product"] = ["product_unknown"]
    named = tuple(dict.fromkeys((person.home_site, *draft.sites)))
    s = sites.site
    known = set(work.tx.execute(sa.select(s.c.id).where(s.c.id.in_(named), s.c.active)).scalars())
    if set(named) - known:
        fields["sites"] = ["site_unknown"]
    if fields:
        raise Refusal("input_invalid", fields=fields)
    rows = order_rows(work, person.id)
    _check_slot(draft, rows, replaces, tz)
    old = next((row for row in rows if row.id == replaces), None)
    if old is not None and draft.elsewhere_on is None and old.elsewhere_on is not None:
        draft = replace(
            draft,
            elsewhere_on=old.elsewhere_on,
            elsewhere_dose_ug=old.elsewhere_dose_ug,
            elsewhere_source=old.elsewhere_source,
        )
    return replace(draft, sites=named, days=tuple(sorted(set(draft.days)))), rows


def gap_days(work: Work, site_id: str, on: date) -> int:
    """Days without treatment after which an episode is over, by the site's policy."""
    name = work.tx.execute(sa.select(sites.site.c.policy).where(sites.site.c.id == site_id)).scalar_one()
    return policies.policy(name).int("episode_gap_days", on)


def _check_elsewhere(draft: Draft, today: date, oldest_days: int, fields: dict[str, list[str]]) -> None:
    """A dose elsewhere is a day, an amount and who says so, or nothing at all; and not so old that it says nothing."""
    given = {
        "elsewhere_on": draft.elsewhere_on,
        "elsewhere_dose": draft.elsewhere_dose_ug,
        "elsewhere_source": (draft.elsewhere_source or "").strip(),
    }
    if not any(given.values()) and draft.elsewhere_dose_ug is None:
        return
    fields |= {name: ["field_needed"] for name, value in given.items() if not value}
    if draft.elsewhere_on is not None and draft.elsewhere_on > today:
        fields["elsewhere_on"] = ["date_impossible"]
    elif draft.elsewhere_on is not None and (draft.starts_on - draft.elsewhere_on).days > oldest_days:
        fields["elsewhere_on"] = ["elsewhere_too_old"]


def _check_slot(draft: Draft, rows, replaces: str | None, tz: str) -> None:
    if replaces is not None:
        old = next((r for r in rows if r.id == replaces), None)
        if old is None:
            raise Refusal("order_unknown")
        if old.ended_at is not None or any(r.replaces == replaces for r in rows):
            raise Refusal("order_ended_already")
        if old.slot != draft.slot:
            raise Refusal("input_invalid", fields={"slot": ["not_a_choice"]})
        return
    for row in rows:
        runs = row.ended_at is None and (row.ends_on is None or row.ends_on >= draft.starts_on)
        starts_within = draft.ends_on is None or row.starts_on <= draft.ends_on
        if row.slot == draft.slot and runs and starts_within:
            raise Refusal("order_exists", fields={"slot": ["order_exists"]}, prescription=row.id)


def asked(house, work: Work, person, draft: Draft, rows, signed: tuple[str, ...]) -> Preview:
    name = work.tx.execute(sa.select(sites.site.c.policy).where(sites.site.c.id == person.home_site)).scalar_one()
    policy = policies.policy(name)
    tz, _ = today_at(work, person.home_site)
    seen = gather(work.tx, person, site_id=person.home_site, slot=draft.slot, bottle=None, now=work.now)
    past = [_past_order(row, tz) for row in rows]
    line = lineage(
        draft.dose_ug,
        draft.starts_on,
        [p for p, row in zip(past, rows, strict=True) if row.slot == draft.slot and p.medicine == draft.medicine],
        new_induction=draft.phase == INDUCTION,
        last_swallow_on=max((d for d in (seen.facts.last_swallow_on, draft.elsewhere_on) if d), default=None),
        episode_gap_days=policy.int("episode_gap_days", draft.starts_on),
    )
    gap = policy.int("episode_gap_days", draft.starts_on)
    recent = draft.elsewhere_on is not None and (draft.starts_on - draft.elsewhere_on).days <= gap
    if line.previous_dose_ug is None and draft.elsewhere_dose_ug and recent:
        # A transfer goes on from the dose documented elsewhere; a higher one is an increase.
        risen = draft.starts_on if draft.dose_ug > draft.elsewhere_dose_ug else None
        line = replace(line, previous_dose_ug=draft.elsewhere_dose_ug, last_increase_on=risen)
    order = OrderFacts(
        id="draft",
        medicine=draft.medicine,
        phase=draft.phase,
        dose_ug=draft.dose_ug,
        slot=draft.slot,
        starts_on=draft.starts_on,
        ends_on=draft.ends_on,
        stopped_at=None,
        sites=draft.sites,
        days=draft.days,
        shortest_gap_h=draft.shortest_gap_h,
        episode_started_on=line.episode_started_on,
        previous_dose_ug=line.previous_dose_ug,
        last_increase_on=line.last_increase_on,
        week_ago_dose_ug=line.week_ago_dose_ug,
        increase_before_on=line.increase_before_on,
        previous_days=line.previous_days,
    )
    role = signing_role(house, work.actor, person.home_site)
    answers = tuple(SignOff("draft", code, draft.starts_on, draft.dose_ug, role) for code in signed if role)
    swallows = [d for d in (seen.facts.last_swallow_on, draft.elsewhere_on) if d]
    facts = replace(
        seen.facts,
        order=order,
        day=draft.starts_on,
        last_swallow_on=max(swallows, default=None),
        signoffs=(*seen.facts.signoffs, *answers),
    )
    others = sum(
        p.dose_ug
        for p, row in zip(past, rows, strict=True)
        if row.slot != draft.slot and p.medicine == draft.medicine and p.in_force(draft.starts_on)
    )
    approved = policy_of._approved(house, work.tx, person.home_site)
    reasons = check_order(facts, policy, work.now, other_slots_ug=others, approved=approved)
    return Preview(line, reasons, policy.digest)


def signing_role(house: House, actor: Actor, site_id: str) -> str | None:
    """The role under which the actor may sign off here: what the policy's `override_by` is compared with."""
    county = county_of(house, site_id)
    roles = (g.role for g in actor.grants if g.covers(site_id, county))
    return next((role for role in roles if "signoff.give" in permissions_of(role)), None)


def order_rows(work: Work, person_id: str) -> list:
    return list(
        work.tx.execute(
            sa.select(prescription, prescription_end.c.at.label("ended_at"))
            .join(prescription_end, prescription_end.c.prescription == prescription.c.id, isouter=True)
            .where(prescription.c.patient == person_id)
            .order_by(prescription.c.written_at.desc(), prescription.c.starts_on.desc())
        )
    )


def order_row(work: Work, person_id: str, prescription_id: str):
    return next(row for row in order_rows(work, person_id) if row.id == prescription_id)


def _past_order(row, tz: str) -> PastOrder:
    return PastOrder(
        id=row.id,
        medicine=row.medicine,
        dose_ug=row.dose_ug,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        ended_on=clock.dosing_day(row.ended_at, tz) if row.ended_at else None,
        days=tuple(json.loads(row.days)),
        previous_dose_ug=row.previous_dose_ug,
        last_increase_on=row.last_increase_on,
        episode_started_on=row.episode_started_on,
    )


def today_at(work: Work, site_id: str) -> tuple[str, date]:
    tz = work.tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == site_id)).scalar_one()
    return tz, clock.dosing_day(work.now, tz)


def _medicine_known(work: Work, draft: Draft) -> bool:
    query = sa.select(product.c.id).where(product.c.medicine == draft.medicine).limit(1)
    return work.tx.execute(query).scalar() is not None


def _product_fits(work: Work, draft: Draft) -> bool:
    query = sa.select(product.c.medicine).where(product.c.id == draft.product)
    return work.tx.execute(query).scalar() == draft.medicine


def today_of(house: House, patient_id: str) -> date:
    """The dosing day now at the person's home site: where an order begins that names no day."""
    query = (
        sa.select(sites.site.c.tz)
        .join(patient, patient.c.home_site == sites.site.c.id)
        .where(patient.c.id == patient_id)
    )
    with house.read() as tx:
        tz = tx.execute(query).scalar_one_or_none()
    if tz is None:
        raise Refusal("patient_unknown")
    return clock.dosing_day(house.now(), tz)
