"""Where a person may be reached: telephone, e-mail or LINE, set by themselves or for them, and found to be theirs.

An address is sealed with the person's key. Nothing goes to one that was not verified: by a code that was sent there,
or by a member of staff who saw it arrive. One of each channel at a time; `rank` 1 is tried first.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.errors import Refusal
from ost.models.patient import patient
from ost.models.portal import patient_contact, portal_code
from ost.services import sealed
from ost.services.access import require
from ost.services.messages import kinds, outbox
from ost.services.work import Actor, House, Work, new_id

SMS, EMAIL, LINE = CHANNELS = ("sms", "email", "line")
PURPOSE = "contact"
CODE_DIGITS = 6
CODE_MINUTES = 10
CODE_TRIES = 5
#: Codes to one person an hour: each costs somebody money, and a stranger's patience.
CODES_AN_HOUR = 5

_C, _P = patient_contact, portal_code
# What a mail's header takes as it is: atoms with single dots between them, and no encoded word.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@)(?!.*=\?){_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_LINE = re.compile(r"U[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Contact:
    """`shown`: enough to know it by, too little to use it."""

    id: str
    channel: str
    shown: str
    rank: int
    verified: bool
    at: datetime
    address: str = field(repr=False)


def set(house: House, actor: Actor, patient_id: str, channel: str, address: str) -> str:
    """Write down an address, in place of the channel's earlier one. Not verified yet. Returns the contact's id.

    Refusal("input_invalid") names `channel` or `address`. The same address again is the same contact.
    """
    home = _allowed(house, actor, patient_id)
    if channel not in CHANNELS:
        raise Refusal("input_invalid", fields={"channel": ["not_a_choice"]})
    clean = normal(channel, address)
    with house.work(actor, home, "contact.set", patient=patient_id) as work:
        _lock(work, patient_id)
        standing = _standing(work.tx, house, patient_id)
        for known in standing:
            if known.channel == channel and known.address == clean:
                return known.id
        ranks = [c.rank for c in standing if c.channel == channel] or [1 + max((c.rank for c in standing), default=0)]
        _end(work, [c.id for c in standing if c.channel == channel])
        id_ = new_id()
        key = sealed.person_key(work.tx, work.keys, patient_id)
        work.add(
            _C,
            id=id_,
            patient=patient_id,
            channel=channel,
            address_sealed=sealed.seal(key, patient_id, "patient_contact", f"address:{id_}", clean),
            rank=ranks[0],
            at=work.now,
        )
        work.payload |= {"contact": id_, "channel": channel}
    return id_


def send_code(house: House, actor: Actor, patient_id: str, contact_id: str) -> None:
    """Send a one-time code to this very address. Refusal("contact_codes_too_many") after CODES_AN_HOUR."""
    home = _allowed(house, actor, patient_id)
    with house.work(actor, home, "contact.code", patient=patient_id) as work:
        _lock(work, patient_id)
        _of(work.tx, house, patient_id, contact_id)
        recent = sa.select(sa.func.count()).where(
            _P.c.patient == patient_id, _P.c.purpose == PURPOSE, _P.c.created_at > work.now - timedelta(hours=1)
        )
        if work.tx.execute(recent).scalar_one() >= CODES_AN_HOUR:
            raise Refusal("contact_codes_too_many")
        # A new code kills those before it.
        before = sa.update(_P).where(_P.c.patient == patient_id, _P.c.purpose == PURPOSE, _P.c.used_at.is_(None))
        work.tx.execute(before.where(_P.c.expires_at > work.now).values(expires_at=work.now))
        code, id_ = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}", new_id()
        work.add(
            _P,
            id=id_,
            patient=patient_id,
            purpose=PURPOSE,
            code_mac=_mac(house, contact_id, id_, code),
            tries=0,
            created_at=work.now,
            expires_at=work.now + timedelta(minutes=CODE_MINUTES),
        )
        outbox.tell(
            work, patient_id, kinds.CODE, f"contact:{id_}", secret=code, contact=contact_id, minutes=CODE_MINUTES
        )
        work.payload |= {"contact": contact_id}


def verify(house: House, actor: Actor, patient_id: str, contact_id: str, code: str) -> bool:
    """Whether this is the newest code sent to that address; then it is theirs. Five tries, each counted first."""
    home = _allowed(house, actor, patient_id)
    with house.work(actor, home, "contact.verified", patient=patient_id) as work:
        _lock(work, patient_id)
        contact = _of(work.tx, house, patient_id, contact_id)
        row = work.tx.execute(
            sa.select(_P)
            .where(_P.c.patient == patient_id, _P.c.purpose == PURPOSE)
            .order_by(_P.c.created_at.desc(), _P.c.expires_at.desc())
            .limit(1)
        ).one_or_none()
        if row is None or row.expires_at <= work.now:
            return False
        if row.used_at is not None:
            return contact.verified and _same(house, row, contact_id, code)  # the form was sent twice
        if row.tries >= CODE_TRIES:
            return False
        change = sa.update(_P).where(_P.c.id == row.id)
        if not _same(house, row, contact_id, code):
            work.tx.execute(change.values(tries=row.tries + 1))
            return False
        work.tx.execute(change.values(tries=row.tries + 1, used_at=work.now))
        _verified(work, contact_id)
        return True


def seen(house: House, actor: Actor, patient_id: str, contact_id: str) -> None:
    """A member of staff saw a message arrive there, the person beside them: verified without a code."""
    home = _home(house, patient_id)
    require(house, actor, "portal.help", home)
    with house.work(actor, home, "contact.verified", patient=patient_id) as work:
        _lock(work, patient_id)
        _of(work.tx, house, patient_id, contact_id)
        _verified(work, contact_id)
        work.payload["seen_by_staff"] = True


def end(house: House, actor: Actor, patient_id: str, contact_id: str) -> None:
    """Nothing goes there any more, from now on; what waits for it goes elsewhere or nowhere. Again: nothing happens."""
    home = _allowed(house, actor, patient_id)
    with house.work(actor, home, "contact.ended", patient=patient_id) as work:
        _lock(work, patient_id)
        if _end(work, [c.id for c in _standing(work.tx, house, patient_id) if c.id == contact_id]):
            work.payload["contact"] = contact_id


def prefer(house: House, actor: Actor, patient_id: str, contact_id: str) -> None:
    """This one first."""
    home = _allowed(house, actor, patient_id)
    with house.work(actor, home, "contact.preferred", patient=patient_id) as work:
        _lock(work, patient_id)
        _of(work.tx, house, patient_id, contact_id)
        order = sorted(_standing(work.tx, house, patient_id), key=lambda c: (c.id != contact_id, c.rank))
        for rank, each in enumerate(order, 1):
            work.tx.execute(sa.update(_C).where(_C.c.id == each.id).values(rank=rank))
        work.payload["contact"] = contact_id


def of_patient(house: House, actor: Actor, patient_id: str) -> list[Contact]:
    """The addresses that stand, first choice first: for the person, and for those who help them at the desk."""
    _allowed(house, actor, patient_id)
    with house.read() as tx:
        return _standing(tx, house, patient_id)


def reachable(tx: Connection, house: House, patient_id: str) -> list[Contact]:
    """The verified ones, first choice first: for the sender."""
    return [c for c in _standing(tx, house, patient_id) if c.verified]


def one(tx: Connection, house: House, patient_id: str, contact_id: str) -> Contact | None:
    """A standing contact, verified or not: for the code that verifies it."""
    return next((c for c in _standing(tx, house, patient_id) if c.id == contact_id), None)


def normal(channel: str, address: str) -> str:
    """The address as it is kept: +886912345678, a lower-case domain. Refusal("input_invalid")."""
    text = "".join(address.split()) if channel == SMS else address.strip()
    if channel == SMS:
        text = text.translate(str.maketrans("０１２３４５６７８９＋", "0123456789+", "-()．.－（）"))
        if re.fullmatch(r"09[0-9]{8}", text):
            return "+886" + text[1:]
        if re.fullmatch(r"\+[1-9][0-9]{7,14}", text):
            return text
    elif channel == EMAIL and len(text) <= 200 and text.isascii() and _EMAIL.fullmatch(text):
        local, _, domain = text.rpartition("@")
        return f"{local}@{domain.lower()}"
    elif channel == LINE and _LINE.fullmatch(text):
        return text
    raise Refusal("input_invalid", fields={"address": ["contact_address_wrong"]})


def shown(channel: str, address: str) -> str:
    if channel == EMAIL:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}…@{domain}"
    return f"…{address[-3:]}"


# --- within ------------------------------------------------------------------


def _mac(house: House, contact_id: str, code_id: str, code: str) -> str:
    return house.keys.search_mac("contact_code", f"{contact_id}|{code_id}|{code}")


def _same(house: House, row, contact_id: str, code: str) -> bool:
    typed = "".join(code.split())
    return hmac.compare_digest(_mac(house, contact_id, row.id, typed), row.code_mac)


def _verified(work: Work, contact_id: str) -> None:
    work.tx.execute(
        sa.update(_C).where(_C.c.id == contact_id, _C.c.verified_at.is_(None)).values(verified_at=work.now)
    )
    work.payload["contact"] = contact_id


def _standing(tx: Connection, house: House, patient_id: str) -> list[Contact]:
    query = sa.select(_C).where(_C.c.patient == patient_id, _C.c.ended_at.is_(None)).order_by(_C.c.rank, _C.c.at)
    rows = tx.execute(query).all()
    if not rows:
        return []
    key = sealed.person_key(tx, house.keys, patient_id)
    found = []
    for r in rows:
        address = sealed.unseal_text(key, patient_id, "patient_contact", f"address:{r.id}", r.address_sealed)
        found.append(
            Contact(r.id, r.channel, shown(r.channel, address), r.rank, r.verified_at is not None, r.at, address)
        )
    return found


def _of(tx: Connection, house: House, patient_id: str, contact_id: str) -> Contact:
    found = one(tx, house, patient_id, contact_id)
    if found is None:
        raise Refusal("contact_unknown")
    return found


def _end(work: Work, ids: list[str]) -> int:
    if not ids:
        return 0
    gone = sa.update(_C).where(_C.c.id.in_(ids), _C.c.ended_at.is_(None)).values(ended_at=work.now)
    return work.tx.execute(gone).rowcount


def _lock(work: Work, patient_id: str) -> None:
    row = work.lock_patients([patient_id]).get(patient_id)
    if row is None:
        raise Refusal("patient_unknown")


def _home(house: House, patient_id: str) -> str:
    with house.read() as tx:
        home = tx.execute(sa.select(patient.c.home_site).where(patient.c.id == patient_id)).scalar()
    if home is None:
        raise Refusal("patient_unknown")
    return home


def _allowed(house: House, actor: Actor, patient_id: str) -> str:
    """The home site, where the actor is the person or helps them there."""
    home = _home(house, patient_id)
    if actor.id != f"patient:{patient_id}":
        require(house, actor, "portal.help", home)
    return home
