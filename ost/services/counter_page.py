"""What the counter's page needs to know and nothing else reads: its own state, who stands there, what is in hand.

Reads, except for two small steps: looking at a person is written into their
list of who looked (once in a while, not with every refresh), and a stop that
was seen is put away. Decides nothing about doses.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from ost import clock, policies
from ost.db import Instant
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit, dose, site, staff, stock
from ost.models.patient import patient
from ost.models.station import identity_evidence, station
from ost.rules.missed_doses import missed_days
from ost.services import patient_read, sealed
from ost.services.access import require
from ost.services.decision import Shown
from ost.services.expected import expected
from ost.services.identity_rows import offered_before
from ost.services.known_here import known_here
from ost.services.patient_read import SAME_READING
from ost.services.stand_ins import SHOWN_FOR, simulated_lately
from ost.services.work import Actor, House

#: A station that has not been heard of for so long is not there. It speaks every 0.9 s (devices.agent.HEARTBEAT_S),
#: so one beat may come a second late; with the page's own second it is said within three seconds.
SILENT = timedelta(seconds=1.9)
_LOOKALIKES_FRESH = timedelta(minutes=5)

_C, _S, _ST = site.counter, site.site, station
_HEAD = audit.chain_head
_HOME_HEAD = audit.chain_head.alias("home_head")

_PULSE = (
    sa.select(
        _C.c.id,
        _C.c.site,
        _C.c.label,
        _C.c.session,
        _C.c.patient,
        _C.c.dose,
        _C.c.shown_at,
        _C.c.notice,
        _C.c.version,
        _S.c.tz,
        _S.c.phone,
        _S.c.policy,
        _S.c.number_prefix,
        _ST.c.reader_kind,
        _ST.c.id.label("station"),
        _ST.c.reader_state,
        _ST.c.reader_detail,
        _ST.c.seen_at,
        _ST.c.revoked_at,
        simulated_lately(_ST.c.id, sa.bindparam("since", type_=Instant)).label("simulated"),
        _HEAD.c.number.label("here"),
        _HOME_HEAD.c.number.label("home"),
    )
    .join_from(_C, _S, _S.c.id == _C.c.site)
    .join(_ST, _ST.c.id == _C.c.station, isouter=True)
    .join(_HEAD, _HEAD.c.site == _C.c.site, isouter=True)
    .join(patient, patient.c.id == _C.c.patient, isouter=True)
    .join(_HOME_HEAD, _HOME_HEAD.c.site == patient.c.home_site, isouter=True)
    .where(_C.c.id == sa.bindparam("counter"))
)


@dataclass(frozen=True, slots=True)
class Pulse:
    """The counter now. `events`: grows with everything recorded here or at the person's home."""

    id: str
    site: str
    label: str
    session: str | None
    patient: str | None
    dose: str | None
    shown_at: datetime | None
    notice: dict | None
    version: int
    tz: str
    phone: str
    policy: str
    number_prefix: str
    reader: str  # "ready" | "partly" (some are) | "offline" (none is) | "silent" (its program is not heard) | "none"
    trouble: str | None  # why a reader is not ready: a code of the catalogue
    readers: str  # changes when any of them does
    station: str | None
    simulated: bool
    events: str
    now: datetime


def pulse(house: House, actor: Actor, counter_id: str) -> Pulse:
    """One statement, once a second for each open page. Refusal("counter_unknown")."""
    now = house.now()
    with house.read() as tx:
        row = tx.execute(_PULSE, {"counter": counter_id, "since": now - SHOWN_FOR}).one_or_none()
    if row is None:
        raise Refusal("counter_unknown")
    require(house, actor, "counter.use", row.site)
    there = row.reader_kind is not None and row.revoked_at is None
    heard = there and row.seen_at is not None and now - row.seen_at < SILENT
    short, _bar, trouble = (row.reader_detail or "").rpartition("|")
    notice = json.loads(row.notice) if row.notice else None
    if notice is not None and offered_before(notice, now):
        notice = None
    state = {"ready": "ready", "partly": "partly"}.get(row.reader_state, "offline")
    if row.reader_state == "revoked":
        trouble = "reader_revoked"
    return Pulse(
        id=row.id,
        site=row.site,
        label=row.label,
        session=row.session,
        patient=row.patient,
        dose=row.dose,
        shown_at=row.shown_at,
        notice=notice,
        version=row.version,
        tz=row.tz,
        phone=row.phone,
        policy=row.policy,
        number_prefix=row.number_prefix,
        reader="none" if not there else state if heard else "silent",
        trouble=trouble or None,
        readers=short.partition(":")[0][:8],
        station=row.station,
        simulated=there and (row.reader_kind == "simulated" or row.simulated),
        events=f"{row.here or 0}-{row.home or 0}",
        now=now,
    )


# --- the person -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """The person at the counter, as the card shows them."""

    id: str
    number: str
    sex: str
    home_site: str
    home_phone: str
    priority: tuple[str, ...]
    has_face: bool
    name: str | None = field(repr=False)
    born: date | None = field(repr=False)


def standing(house: House, actor: Actor, patient_id: str, site_id: str) -> Standing:
    """Opens name and birth date; the look is recorded, again only after SAME_READING."""
    row = patient_read.readable(house, actor, patient_id, "patient.read")
    log = audit.record_access
    with house.read() as tx:
        recent = tx.execute(
            sa.select(log.c.id)
            .where(
                log.c.patient == patient_id,
                log.c.account == actor.id,
                log.c.at > house.now() - SAME_READING,
            )
            .limit(1)
        ).first()
    if recent is None:
        patient_read.read(house, actor, patient_id, page="counter.card", at=site_id)
    with house.read() as tx:
        phone = tx.execute(sa.select(_S.c.phone).where(_S.c.id == row.home_site)).scalar_one()
        name = born = None
        try:
            key = sealed.person_key(tx, house.keys, patient_id)
        except SealBroken:
            key = None
        if key is not None:
            name = sealed.unseal_text(key, patient_id, "patient", "name", row.name_sealed)
            born = sealed.unseal_text(key, patient_id, "patient", "birth_date", row.birth_date_sealed)
    return Standing(
        id=row.id,
        number=row.number,
        sex=row.sex,
        home_site=row.home_site,
        home_phone=phone,
        priority=tuple(json.loads(row.priority)),
        has_face=row.face_sealed is not None,
        name=name,
        born=date.fromisoformat(born) if born else None,
    )


def phone_of(house: House, site_id: str) -> str:
    with house.read() as tx:
        return tx.execute(sa.select(_S.c.phone).where(_S.c.id == site_id)).scalar_one_or_none() or ""


def missed(shown: Shown, policy: str) -> int:
    """Missed days in a row before today, by the stricter reading, for the card."""
    if shown.facts.order is None:
        return 0
    found = missed_days(shown.facts, policies.policy(policy))
    return found.count if found and found.last_swallow_on else 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """How the person on the card was recognised."""

    evidence: str
    path: str
    reason: str | None


def arrived(house: House, site_id: str, patient_id: str, since: datetime | None) -> Arrived | None:
    """The newest evidence of this person's arrival here since the card was shown."""
    e = identity_evidence
    query = (
        sa.select(e.c.id, e.c.path, e.c.reason)
        .where(e.c.patient == patient_id, e.c.site == site_id, e.c.purpose == "arrival")
        .order_by(e.c.at.desc())
        .limit(1)
    )
    if since is not None:
        query = query.where(e.c.at >= since - timedelta(seconds=5))
    with house.read() as tx:
        row = tx.execute(query).one_or_none()
    return Arrived(row.id, row.path, row.reason) if row else None


# --- the dose in hand ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InHand:
    """A promised dose without an outcome."""

    id: str
    patient: str
    number: str
    site: str
    day: date
    slot: int
    medicine: str
    product: str
    unit: str
    ordered_ug: int
    dose_ug: int
    volume_ul: int
    bottle: str
    lot: str
    strength_ug_per_ml: int
    left_ul: int
    by: str  # display name
    promised_at: datetime
    counter: str | None
    confirmed_by: str | None  # path of the newest check at hand-over
    confirmed_at: datetime | None
    signed: bool


_A, _O, _B, _P = dose.dose_attempt, dose.dose_outcome, stock.bottle, stock.product
_OPEN = (
    sa.select(
        _A,
        patient.c.number,
        _B.c.lot,
        _B.c.balance_ul,
        _P.c.unit,
        _P.c.strength_ug_per_ml,
        staff.account.c.display_name,
        dose.signature.c.attempt.label("signature"),
    )
    .join_from(_A, patient, patient.c.id == _A.c.patient)
    .join(_B, _B.c.id == _A.c.bottle)
    .join(_P, _P.c.id == _B.c.product)
    .join(_O, _O.c.attempt == _A.c.id, isouter=True)
    .join(staff.account, staff.account.c.id == _A.c.by, isouter=True)
    .join(dose.signature, dose.signature.c.attempt == _A.c.id, isouter=True)
    .order_by(_A.c.promised_at)
)


def in_hand(house: House, dose_id: str) -> InHand | None:
    """The dose, if it still has no outcome."""
    return next(iter(_in_hand(house, _A.c.id == dose_id)), None)


def open_at(house: House, actor: Actor, site_id: str) -> tuple[InHand, ...]:
    """Every dose of this site whose outcome is not known, oldest first."""
    require(house, actor, "queue.read", site_id)
    return _in_hand(house, _A.c.site == site_id)


def _in_hand(house: House, condition) -> tuple[InHand, ...]:
    e = identity_evidence
    with house.read() as tx:
        rows = tx.execute(_OPEN.where(condition, _O.c.attempt.is_(None))).all()
        checks = {}
        if rows:
            found = tx.execute(
                sa.select(e.c.dose, e.c.path, e.c.at)
                .where(e.c.dose.in_([r.id for r in rows]), e.c.purpose == "hand_over")
                .order_by(e.c.at)
            )
            checks = {r.dose: r for r in found}  # the newest stays
    return tuple(
        InHand(
            id=r.id,
            patient=r.patient,
            number=r.number,
            site=r.site,
            day=r.dosing_day,
            slot=r.slot,
            medicine=r.medicine,
            product=r.product,
            unit=r.unit,
            ordered_ug=r.ordered_ug,
            dose_ug=r.dose_ug,
            volume_ul=r.volume_ul,
            bottle=r.bottle,
            lot=r.lot,
            strength_ug_per_ml=r.strength_ug_per_ml,
            left_ul=r.balance_ul,
            by=r.display_name or r.by,
            promised_at=r.promised_at,
            counter=r.counter,
            confirmed_by=checks[r.id].path if r.id in checks else None,
            confirmed_at=checks[r.id].at if r.id in checks else None,
            signed=r.signature is not None,
        )
        for r in rows
    )


def put_away(house: House, actor: Actor, counter_id: str) -> None:
    """A stop at hand-over was seen: the page goes back to the dose. Again: nothing happens."""
    with house.read() as tx:
        where = tx.execute(sa.select(_C.c.site).where(_C.c.id == counter_id)).scalar_one_or_none()
    if where is None:
        raise Refusal("counter_unknown")
    require(house, actor, "counter.use", where)
    with house.work(actor, where, "counter.stop_seen") as work:
        row = work.tx.execute(sa.select(_C).where(_C.c.id == counter_id).with_for_update()).one()
        if row.notice is None:
            return
        work.tx.execute(
            sa.update(_C).where(_C.c.id == counter_id).values(notice=None, version=_C.c.version + 1)
        )
        work.payload = {"counter": counter_id, "code": json.loads(row.notice).get("code"), "dose": row.dose}


# --- numbers and names ------------------------------------------------------------------

_NUMBER = re.compile(r"([A-Z]{0,4})-?([0-9]{1,6})")


def whole_number(prefix: str, typed: str) -> str:
    """What somebody typed as a patient's number: "47" and "h47" are "H-0047" where numbers begin with H."""
    text = "".join(typed.upper().split())
    found = _NUMBER.fullmatch(text)
    return f"{found[1] or prefix}-{int(found[2]):04d}" if found else text


def by_number(house: House, site_id: str, number: str) -> str | None:
    """Id of the person with this number, if this site may show them today."""
    with house.read() as tx:
        found = tx.execute(
            sa.select(patient.c.id).where(patient.c.number == number, patient.c.active)
        ).scalar_one_or_none()
        tz = tx.execute(sa.select(_S.c.tz).where(_S.c.id == site_id)).scalar_one()
        here = known_here(tx, site_id, clock.dosing_day(house.now(), tz))
    return found if found in here else None


def known_number(house: House, number: str) -> bool:
    """Whether anybody has it: a slip of the finger is said at once."""
    with house.read() as tx:
        return tx.execute(sa.select(patient.c.id).where(patient.c.number == number)).first() is not None


def faces(house: House, ids: list[str]) -> list[tuple[str, str, bool]]:
    """(id, number, has a picture) of people a touch offered, in that order."""
    query = sa.select(patient.c.id, patient.c.number, patient.c.face_sealed.is_not(None)).where(
        patient.c.id.in_(ids)
    )
    with house.read() as tx:
        rows = {r[0]: tuple(r) for r in tx.execute(query)}
    return [rows[i] for i in ids if i in rows]


def lookalikes(house: House, site_id: str, day: date) -> dict[str, str]:
    """{patient id: the other's number} for people expected here today whose names differ by one character or none."""
    key = ("lookalikes", site_id, day)
    kept = house.memo.get(key)
    if kept and house.now() - kept[0] < _LOOKALIKES_FRESH:
        return kept[1]
    shapes: dict[str, set[tuple[str, str]]] = defaultdict(set)
    with house.read() as tx:
        for person, number, name in names(house, tx, site_id, day):
            for n in range(len(name)):
                shapes[f"{name[:n]}_{name[n + 1 :]}"].add((person, number))
    alike: dict[str, str] = {}
    for people in shapes.values():
        ranked = sorted(people, key=lambda p: p[1])
        for person, _number in ranked:
            alike.setdefault(person, next((n for p, n in ranked if p != person), ""))
    found = {person: number for person, number in alike.items() if number}
    house.memo[key] = (house.now(), found)
    return found


def names(house: House, tx, site_id: str, day: date):
    people = {due.patient: due.number for due in expected(tx, site_id, day) if due.due_today}
    rows = tx.execute(sa.select(patient).where(patient.c.id.in_(people))).all() if people else []
    for row in rows:
        name = patient_read.name_of(tx, house, row)
        if name:
            yield row.id, row.number, name
