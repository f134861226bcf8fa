"""The stranger at this counter: what may be shown of them, and to whom.

Who they are is looked up from the line that was written when they touched,
showed a card or said a number (`ost.services.stranger`); no caller names a
person. Three answers: the one bit; with the patient's own consent, after a touch
or a card, the little that lets a nurse call the home site and help; after a
logged emergency access, for the account that asked and for a few minutes, who
this is. Nothing here opens a dose, an order or the record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock, policies
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit, prescription
from ost.models import site as sites
from ost.models.lookup import emergency_access
from ost.models.patient import patient
from ost.rules.facts import PastDose
from ost.services import consents, sealed
from ost.services.access import require
from ost.services.gather import PAST_DOSES, WINDOW_DAYS, past_dose
from ost.services.patient_read import SAME_READING
from ost.services.stranger import DOSED_TODAY, dosed_today
from ost.services.work import Actor, House, Work, new_id

NOTICE = "known_elsewhere"
BIT, CONSENT, EMERGENCY = "bit", "consent", "emergency"
CONSENT_PAGE, EMERGENCY_PAGE = "counter.consent", "counter.emergency"
#: A number can be typed with nobody there: it opens no consented card.
_SHOWN_IN_PERSON = ("counter.touch", "counter.card")
_TAKEN = ("swallowed", "partly", "too_much")

_L, _A = audit.record_access, emergency_access


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who it is, as far as `way` opens it; names and birth dates only after an emergency access."""

    way: str  # CONSENT | EMERGENCY
    number: str
    home_site: str
    home_phone: str
    has_face: bool
    last_on: date | None
    last_ug: int | None
    medicine: str | None
    holds: tuple[str, ...]  # reasons of clinical holds that stand; only these travel
    name: str | None = field(repr=False)  # the page masks it unless `way` is EMERGENCY
    sex: str | None = None  # EMERGENCY only, as is what follows
    born: date | None = field(default=None, repr=False)
    ordered_ug: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AtCounter:
    """What stands at a counter about a stranger. `line`: names the question, not the person."""

    line: str
    dosed_today: bool
    may_ask_until: datetime  # an emergency access can be opened until then
    shown: Stranger | None


def at_counter(house: House, actor: Actor, counter_id: str) -> AtCounter | None:
    """What this actor may see of the stranger at this counter now; None when none stands there.

    Looking at an opened card is written into the patient's list, again only after SAME_READING.
    """
    with house.read() as tx:
        counter = _counter(tx, counter_id)
        require(house, actor, "identify.capture", counter.site)
        asked = _asked(tx, counter)
        if asked is None:
            return None
        policy = policies.policy(counter.policy)
        ask_until = asked.at + timedelta(minutes=policy.int("emergency_access_fresh_minutes"))
        way, until = _way(house, tx, actor, asked)
        bit = dosed_today(tx, asked.patient, house.now())
        shown = _open(house, tx, asked.patient, way, until) if way != BIT else None
        # An emergency access was recorded when it was opened.
        recorded = way != CONSENT or _read_lately(house, tx, actor, asked.patient)
    if not recorded:
        with house.work(actor, counter.site, "elsewhere.shown", patient=asked.patient) as work:
            _look(work, asked.patient, CONSENT_PAGE, consents.FOUND_ELSEWHERE)
            work.payload |= {"counter": counter_id, "way": way}
    return AtCounter(asked.id, bit, ask_until, shown)


def face(house: House, actor: Actor, counter_id: str) -> tuple[bytes, str]:
    """(image, media type) of the stranger at this counter, if a card of theirs is open to the actor."""
    if (found := at_counter(house, actor, counter_id)) is None or found.shown is None or not found.shown.has_face:
        raise Refusal("face_missing")
    with house.read() as tx:
        asked = _asked(tx, _counter(tx, counter_id))
        if asked is None or asked.id != found.line:
            raise Refusal("face_missing")
        row = tx.execute(sa.select(patient).where(patient.c.id == asked.patient)).one()
        try:
            key = sealed.person_key(tx, house.keys, row.id)
        except SealBroken:
            raise Refusal("face_missing") from None
        return sealed.unseal(key, row.id, "patient", "face", row.face_sealed), row.face_type


def agreed_person(house: House, actor: Actor, counter_id: str, line: str) -> str:
    """Id of the person who stands at this counter and agreed to be seen elsewhere: for services, never for a page.

    Refusal("stranger_left") when somebody else stands there by now, or it was not their own consent that opened it.
    """
    with house.read() as tx:
        counter = _counter(tx, counter_id)
        require(house, actor, "identify.capture", counter.site)
        asked = _asked(tx, counter)
        if asked is None or asked.id != line or _way(house, tx, actor, asked)[0] != CONSENT:
            raise Refusal("stranger_left")
        return asked.patient


def stood_here(tx: Connection, person: str, site: str, since: datetime) -> bool:
    """Whether this person touched, or showed their card, at a counter of this site since then."""
    query = sa.select(_L.c.id).where(
        _L.c.patient == person,
        _L.c.site == site,
        _L.c.why == DOSED_TODAY,
        _L.c.page.in_(_SHOWN_IN_PERSON),
        _L.c.at >= since,
    )
    return tx.execute(query.limit(1)).scalar() is not None


def open_emergency(house: House, actor: Actor, counter_id: str, line: str, reason: str) -> datetime:
    """Show this account who the stranger at this counter is, until the instant returned. Recorded first.

    `line`: of the touch, card or number that stands at the counter, from the page. The same again by the
    same account gives the same answer. Refusal("stranger_left") when somebody else stands there by now, the
    question is too old, or another account opened it; Refusal("input_invalid") without a reason.
    """
    with house.read() as tx:
        counter = _counter(tx, counter_id)
        require(house, actor, "emergency.look", counter.site)
        asked = _asked(tx, counter)
    policy = policies.policy(counter.policy)
    if reason not in policy.list("emergency_access_reasons"):
        raise Refusal("input_invalid", fields={"reason": ["reason_needed"]})
    if asked is None or asked.id != line:
        raise Refusal("stranger_left")
    with house.work(actor, counter.site, "emergency.looked", patient=asked.patient) as work:
        person = work.lock_patients([asked.patient]).get(asked.patient)
        c = sites.counter
        work.tx.execute(sa.select(c.c.id).where(c.c.id == counter_id).with_for_update()).one()
        now = _asked(work.tx, _counter(work.tx, counter_id))
        if now is None or now.id != line or person is None:
            raise Refusal("stranger_left")
        opened = work.tx.execute(sa.select(_A).where(_A.c.id == line)).one_or_none()
        if opened is not None:
            if opened.account != actor.id or opened.until <= work.now:
                raise Refusal("stranger_left")
            return opened.until
        if work.now > now.at + timedelta(minutes=policy.int("emergency_access_fresh_minutes")):
            raise Refusal("stranger_left")
        if _key(house, work.tx, asked.patient) is None:
            raise Refusal("stranger_left")  # forgotten since: there is nobody to show
        until = work.now + timedelta(minutes=policy.int("emergency_access_minutes"))
        work.add(
            emergency_access,
            id=line,  # one question opens once
            patient=asked.patient,
            site=counter.site,
            counter=counter_id,
            account=actor.id,
            reason=reason,
            capture=json.loads(counter.notice).get("capture"),
            at=work.now,
            until=until,
        )
        _look(work, asked.patient, EMERGENCY_PAGE, reason)
        work.payload |= {"counter": counter_id, "reason": reason, "access": line}
        return until


# --- within ----------------------------------------------------------------------

_COUNTER = (
    sa.select(sites.counter.c.id, sites.counter.c.site, sites.counter.c.notice, sites.site.c.policy)
    .join_from(sites.counter, sites.site, sites.site.c.id == sites.counter.c.site)
    .where(sites.counter.c.id == sa.bindparam("counter"))
)


def _counter(tx: Connection, counter_id: str) -> sa.Row:
    row = tx.execute(_COUNTER, {"counter": counter_id}).one_or_none()
    if row is None:
        raise Refusal("counter_unknown")
    return row


def _asked(tx: Connection, counter: sa.Row) -> sa.Row | None:
    """The line of the question that stands at the counter: whom, how and when."""
    notice = json.loads(counter.notice) if counter.notice else {}
    if notice.get("code") != NOTICE or not notice.get("line"):
        return None
    return tx.execute(
        sa.select(_L).where(_L.c.id == notice["line"], _L.c.why == DOSED_TODAY, _L.c.site == counter.site)
    ).one_or_none()


def _way(house: House, tx: Connection, actor: Actor, asked: sa.Row) -> tuple[str, datetime | None]:
    if _key(house, tx, asked.patient) is None:
        return BIT, None
    opened = tx.execute(sa.select(_A.c.account, _A.c.until).where(_A.c.id == asked.id)).one_or_none()
    if opened is not None and opened.account == actor.id and house.now() < opened.until:
        return EMERGENCY, opened.until
    if asked.page in _SHOWN_IN_PERSON:
        home = _home(tx, asked.patient)
        day = clock.dosing_day(house.now(), home.tz)
        if home.active and consents.stands(tx, asked.patient, consents.FOUND_ELSEWHERE, day):
            return CONSENT, None
    return BIT, None


def _home(tx: Connection, person: str) -> sa.Row:
    s = sites.site
    return tx.execute(
        sa.select(patient, s.c.tz, s.c.phone.label("home_phone"))
        .join(s, s.c.id == patient.c.home_site)
        .where(patient.c.id == person)
    ).one()


def _open(house: House, tx: Connection, person: str, way: str, until: datetime | None) -> Stranger:
    row, key = _home(tx, person), _key(house, tx, person)
    day = clock.dosing_day(house.now(), row.tz)
    last = _last(tx, person, day)
    h, r = prescription.hold, prescription.hold_release
    holds = tx.execute(
        sa.select(h.c.reason_code)
        .join_from(h, r, r.c.hold == h.c.id, isouter=True)
        .where(h.c.patient == person, h.c.kind == "clinical", r.c.hold.is_(None))
        .order_by(h.c.at)
    ).scalars()
    more = {}
    if way == EMERGENCY:
        born = sealed.unseal_text(key, person, "patient", "birth_date", row.birth_date_sealed)
        more = {
            "sex": row.sex,
            "born": date.fromisoformat(born) if born else None,
            "ordered_ug": _ordered(tx, person, day),
            "until": until,
        }
    return Stranger(
        way=way,
        number=row.number,
        home_site=row.home_site,
        home_phone=row.home_phone,
        has_face=row.face_sealed is not None,
        last_on=last.day if last else None,
        last_ug=(last.promised_ug if last.swallowed_ug is None else last.swallowed_ug) if last else None,
        medicine=last.medicine if last else None,
        holds=tuple(holds),
        name=sealed.unseal_text(key, person, "patient", "name", row.name_sealed),
        **more,
    )


def _last(tx: Connection, person: str, day: date) -> PastDose | None:
    """The newest dose that was taken, all or in part, or of which nobody knows yet."""
    rows = tx.execute(PAST_DOSES, {"patient": person, "since": day - timedelta(days=WINDOW_DAYS)})
    doses = (past_dose(row) for row in rows if row.why in (None, "replacement_ordered"))
    return next((d for d in doses if d.outcome is None or d.outcome in _TAKEN), None)


def _ordered(tx: Connection, person: str, day: date) -> int | None:
    p, e = prescription.prescription, prescription.prescription_end
    return tx.execute(
        sa.select(sa.func.sum(p.c.dose_ug))
        .join_from(p, e, e.c.prescription == p.c.id, isouter=True)
        .where(
            p.c.patient == person,
            e.c.prescription.is_(None),
            p.c.starts_on <= day,
            sa.or_(p.c.ends_on.is_(None), p.c.ends_on >= day),
        )
    ).scalar()


def _key(house: House, tx: Connection, person: str) -> bytes | None:
    try:
        return sealed.person_key(tx, house.keys, person)
    except SealBroken:
        return None


def _read_lately(house: House, tx: Connection, actor: Actor, person: str) -> bool:
    return (
        tx.execute(
            sa.select(_L.c.id)
            .where(
                _L.c.patient == person,
                _L.c.account == actor.id,
                _L.c.page.in_((CONSENT_PAGE, EMERGENCY_PAGE)),
                _L.c.at > house.now() - SAME_READING,
            )
            .limit(1)
        ).first()
        is not None
    )


def _look(work: Work, person: str, page: str, why: str) -> None:
    work.add(
        audit.record_access,
        id=new_id(),
        patient=person,
        account=work.actor.id,
        site=work.site,
        what="read",
        page=page,
        why=why,
        at=work.now,
    )
