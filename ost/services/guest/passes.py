"""Passes: what a guest shows at the counter, a code to scan or six digits to say. They name, they prove nothing.

The scanned code is the pass's own random id and a MAC under a key derived for
this alone: whoever made it is the only one who reads it, and must look into the
database anyway, so a signature others could check would win nothing. Nothing on
it can be read: no name, no place, no day. The six digits lie in the database as
a MAC, and sealed with the person's key so that they can be shown again.

A pass opens what its permit allows and no more: it is dead when the permit is
not in force, on the day after the permit's last day at the site, and at any
other site, also if nobody revoked it. Identity is asked for after it, always.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from ost import clock, policies
from ost.errors import Refusal
from ost.keys import KeyRing, SealBroken
from ost.models import guest
from ost.models import site as sites
from ost.rules import guest as rules
from ost.services import sealed
from ost.services.access import require
from ost.services.throttle import Subject, count_try, count_wrong
from ost.services.work import Actor, House, Work, new_id

#: How a scanned pass begins, so that a counter's one field knows it from a card ("OST-").
MARK = "OSTP-"
DIGITS = 6
TOKEN, SPOKEN = "token", "digits"
#: So long no six digits of a site come back: an old paper must not name somebody else.
REST = timedelta(days=365)

_ID, _MAC = 16, 16  # bytes
_DRAWS = 100

_P, _G, _D, _E, _H = guest.guest_pass, guest.guest_permit, guest.permit_day, guest.permit_day_end, guest.guest_head


@dataclass(frozen=True, slots=True)
class PassFound:
    """Whose pass it is, and the permit it opens. `by`: "token" | "digits"; who stands there is still to be proved."""

    permit: str
    patient: str
    by: str


@dataclass(frozen=True, slots=True)
class Guessed:
    """Digits were said at a counter. `wait_s` > 0: not looked at, so many seconds are left. `tries` go when the
    person has proved who they are (as with a card's PIN)."""

    found: PassFound | None
    wait_s: int = 0
    tries: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True)
class PassShown:
    """A pass as its person sees it: `token` for the QR code, `digits` to be said, and the days it is good for."""

    id: str
    permit: str
    site: str
    days: tuple[date, ...]
    token: str = field(repr=False)
    digits: str = field(repr=False)

    @property
    def first_day(self) -> date:
        return self.days[0]

    @property
    def last_day(self) -> date:
        return self.days[-1]


# --- made and ended ---------------------------------------------------------------


def issue(house: House, work: Work, permit: str, *, again: bool = False) -> str:
    """The pass of a permit, in the transaction that confirms it; returns its id. The person is locked.

    A permit has one live pass: it stays as it is, unless `again` asks for a new one (the paper was lost), which ends
    the old one. Refusal("guest_permit_unknown").
    """
    row = work.tx.execute(sa.select(_G).where(_G.c.id == permit)).one_or_none()
    if row is None:
        raise Refusal("guest_permit_unknown")
    live = work.tx.execute(sa.select(_P.c.id).where(_P.c.permit == permit, _P.c.revoked_at.is_(None))).scalar()
    if live is not None and not again:
        return live
    if live is not None:
        revoke(work, permit)
    made = new_id()
    key = sealed.person_key(work.tx, house.keys, row.patient)
    for _ in range(_DRAWS):
        digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        values = {
            "id": made,
            "permit": permit,
            "patient": row.patient,
            "site": row.site,
            "code_mac": _code_mac(house.keys, row.site, digits),
            "code_sealed": sealed.seal(key, row.patient, "guest_pass", f"code|{made}", digits),
            "issued_at": work.now,
            "last_day": row.last_day,
        }
        if _insert_unless_taken(work, values):
            work.payload |= {"pass": made}
            return made
    raise Refusal("guest_pass_digits_used_up", site=row.site)


def issue_many(house: House, work: Work, permits: Iterable[str]) -> int:
    """The first passes of permits just written, as `issue` makes them, in a few statements: a closure has hundreds.

    The people and the sites are locked. Returns how many. Refusal("guest_pass_digits_used_up").
    """
    rows = work.tx.execute(sa.select(_G).where(_G.c.id.in_(sorted(set(permits)))).order_by(_G.c.id)).all()
    keys = sealed.person_keys(work.tx, house.keys, {row.patient for row in rows})
    made: dict[tuple[str, str], dict] = {}
    waiting = list(rows)
    for _ in range(_DRAWS):
        drawn = {}
        for row in waiting:
            digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
            drawn[row.id] = (row, digits, (row.site, _code_mac(house.keys, row.site, digits)))
        macs = {where[1] for _, _, where in drawn.values()}
        query = sa.select(_P.c.site, _P.c.code_mac).where(_P.c.code_mac.in_(macs))
        taken = {tuple(row) for row in work.tx.execute(query)}
        waiting = []
        for row, digits, where in drawn.values():
            if where in taken or where in made:
                waiting.append(row)
                continue
            id_ = new_id()
            made[where] = {
                "id": id_,
                "permit": row.id,
                "patient": row.patient,
                "site": row.site,
                "code_mac": where[1],
                "code_sealed": sealed.seal(keys[row.patient], row.patient, "guest_pass", f"code|{id_}", digits),
                "issued_at": work.now,
                "last_day": row.last_day,
            }
        if not waiting:
            work.add_many(_P, list(made.values()))
            return len(made)
    raise Refusal("guest_pass_digits_used_up", site=waiting[0].site)


def revoke(work: Work, permit: str) -> int:
    """End every pass of a permit, from this transaction on. Returns how many were live. Again: nothing happens."""
    ended = work.tx.execute(
        sa.update(_P).where(_P.c.permit == permit, _P.c.revoked_at.is_(None)).values(revoked_at=work.now)
    ).rowcount
    if ended:
        work.payload["passes_revoked"] = work.payload.get("passes_revoked", 0) + ended
    return ended


# --- read at a counter ------------------------------------------------------------


def is_pass(text: str) -> bool:
    """Whether what was scanned or typed looks like a pass: its mark, or six digits."""
    plain = _plain(text)
    return plain.startswith(MARK) or _digits(plain) is not None


def is_token(text: str) -> bool:
    """Whether it is a pass's scanned code, and no six digits that somebody said."""
    return _plain(text).startswith(MARK)


def read(house: House, tx: Connection, site: str, text: str) -> PassFound | None:
    """Whose pass `text` (scanned or six digits) is at `site`; None for everything that is not a live one of that site.

    One answer for altered, expired, revoked, another site's and never made. Digits that a person typed go through
    `guess`, which counts them first.
    """
    plain = _plain(text)
    if plain.startswith(MARK):
        made = _opened(house.keys, plain)
        return _live(house, tx, site, _P.c.id == made, TOKEN) if made else None
    digits = _digits(plain)
    if digits is None:
        return None
    mac = _code_mac(house.keys, site, digits)
    return _live(house, tx, site, sa.and_(_P.c.site == site, _P.c.code_mac == mac), SPOKEN)


def guess(house: House, actor: Actor, site: str, text: str) -> Guessed:
    """The six digits as somebody says them at `site`: counted before they are looked at.

    Counted for the account at that site, and wrong ones for the site as well, so that neither one pair of hands nor
    many find a pass by trying. A right one takes nothing back: that is `tries`, once the person is known.
    """
    require(house, actor, "identify.capture", site)
    with house.read() as tx:
        pack = tx.execute(sa.select(sites.site.c.policy).where(sites.site.c.id == site)).scalar_one()
    policy = policies.policy(pack)
    lock = timedelta(minutes=policy.int("sign_in_lock_minutes"))
    mine = own_tries(house, site, actor.id)
    here = Subject("pass", house.keys.search_mac("guest pass tries", site))
    with house.db.begin() as tx:
        counted = count_try(tx, [mine], house.now(), policy, lock, also=[here])
    if counted.wait_s:
        return Guessed(None, counted.wait_s)
    with house.read() as tx:
        found = read(house, tx, site, text)
    if found is None:
        with house.db.begin() as tx:
            count_wrong(tx, [here], house.now(), policy, lock)
        return Guessed(None)
    return Guessed(found, tries=(mine,))


def own_tries(house: House, site: str, account: str) -> Subject:
    """What counts the digits that this account typed at this site; forgiven when one of them called its person."""
    return Subject("pass", house.keys.search_mac("guest pass tries", f"{site}|{account}"))


# --- shown to its person ----------------------------------------------------------


def for_patient(house: House, patient_id: str, permit: str) -> PassShown | None:
    """The live pass of the person's own permit; None when it is somebody else's, or none is live any more."""
    with house.read() as tx:
        return _shown(house, tx, patient_id, permit)


def _shown(house: House, tx: Connection, patient_id: str, permit: str) -> PassShown | None:
    row = tx.execute(
        sa.select(_P).where(_P.c.permit == permit, _P.c.patient == patient_id, _P.c.revoked_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    days = _days_in_force(house, tx, permit)
    if not days:
        return None
    try:
        key = sealed.person_key(tx, house.keys, patient_id)
    except SealBroken:
        return None  # forgotten: there is nobody to show it to
    digits = sealed.unseal_text(key, patient_id, "guest_pass", f"code|{row.id}", row.code_sealed)
    return PassShown(row.id, permit, row.site, days, token_of(house.keys, row.id), digits)


def token_of(ring: KeyRing, pass_id: str) -> str:
    """What the QR code says: capitals and figures only, which a QR code packs tightest."""
    raw = uuid.UUID(pass_id).bytes
    return MARK + base64.b32encode(raw + _token_mac(ring, raw)).decode().rstrip("=")


# --- within -------------------------------------------------------------------------


def _token_key(ring: KeyRing) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ost guest pass 1").derive(ring.challenge)


def _token_mac(ring: KeyRing, raw: bytes) -> bytes:
    return hmac.new(_token_key(ring), raw, hashlib.sha256).digest()[:_MAC]


def _opened(ring: KeyRing, text: str) -> str | None:
    """The pass's id, if this token is ours to the last bit."""
    body = text.removeprefix(MARK)
    try:
        whole = base64.b32decode(body + "=" * (-len(body) % 8))
    except binascii.Error:
        return None
    # Bits beyond the last byte would be a second spelling of the same pass: there is only one.
    if len(whole) != _ID + _MAC or base64.b32encode(whole).decode().rstrip("=") != body:
        return None
    raw, mac = whole[:_ID], whole[_ID:]
    if not hmac.compare_digest(mac, _token_mac(ring, raw)):
        return None
    return str(uuid.UUID(bytes=raw))


def _code_mac(ring: KeyRing, site: str, digits: str) -> str:
    return ring.search_mac("guest pass digits", f"{site}|{digits}")


def _plain(text: str) -> str:
    """As typed or scanned on any keyboard: full-width figures, small letters, blanks and groups."""
    return "".join(unicodedata.normalize("NFKC", text or "")[:120].split()).upper()


def _digits(plain: str) -> str | None:
    figures = plain.replace("-", "")
    return figures if len(figures) == DIGITS and figures.isascii() and figures.isdigit() else None


def _live(house: House, tx: Connection, site: str, where: sa.ColumnElement, by: str) -> PassFound | None:
    row = tx.execute(sa.select(_P).where(where, _P.c.site == site, _P.c.revoked_at.is_(None))).one_or_none()
    if row is None or not _days_in_force(house, tx, row.permit):
        return None
    return PassFound(row.permit, row.patient, by)


def _days_in_force(house: House, tx: Connection, permit: str) -> tuple[date, ...]:
    """The days that still bind, in order; none when the permit is not in force or its last day is past."""
    query = (
        sa.select(_D.c.day, sites.site.c.tz)
        .join(_G, _G.c.id == _D.c.permit)
        .join(_H, _H.c.request == _G.c.request)
        .join(sites.site, sites.site.c.id == _G.c.site)
        .join(_E, sa.and_(_E.c.permit == _D.c.permit, _E.c.day == _D.c.day), isouter=True)
        .where(_D.c.permit == permit, _E.c.day.is_(None), _H.c.permit == permit, _H.c.state.in_(rules.IN_FORCE))
        .order_by(_D.c.day)
    )
    rows = tx.execute(query).all()
    if not rows or rows[-1].day < clock.dosing_day(house.now(), rows[0].tz):
        return ()
    return tuple(row.day for row in rows)


def _insert_unless_taken(work: Work, values: dict) -> bool:
    """Insert, unless another pass of the site has these digits. One that has been over for long gives them up."""
    dialect = sqlite if work.tx.dialect.name == "sqlite" else postgresql
    insert = (
        dialect.insert(_P)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["site", "code_mac"])
        .returning(_P.c.id)  # what was written: drivers do not agree on the number of rows
    )
    if work.tx.execute(insert).scalar() is not None:
        return True
    long_ago = work.now - REST
    freed = work.tx.execute(
        sa.update(_P)
        .where(
            _P.c.site == values["site"],
            _P.c.code_mac == values["code_mac"],
            _P.c.last_day < long_ago.date(),
            sa.or_(_P.c.revoked_at.is_(None), _P.c.revoked_at < long_ago),
        )
        .values(code_mac=work.keys.search_mac("guest pass digits given up", new_id()), revoked_at=work.now)
    ).rowcount
    return bool(freed) and work.tx.execute(insert).scalar() is not None
