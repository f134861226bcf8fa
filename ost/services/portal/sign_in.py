"""Sign in as a patient: number or card, PIN, then a code where the person switched one on.

What is answered, how much is computed and how tries are counted is the same whether the
number exists, has a PIN, is inactive or forgotten. Wrong tries are returned, because they
are recorded. `tries` counts, `sessions` holds what comes of it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import sqlalchemy as sa

from ost import policies
from ost.models.patient import patient
from ost.models.portal import portal_event
from ost.services import patients
from ost.services.messages import kinds, outbox
from ost.services.portal import codes, factors, sessions, tries
from ost.services.throttle import Subject, count_up, forgive
from ost.services.work import Actor, House, Work

#: Who acts while nobody is known yet.
NOBODY = Actor("nobody")
WRONG, WAIT, CODE_WRONG, CODES_USED_UP = "portal_wrong", "portal_wait", "portal_code_wrong", "portal_codes_used_up"
_HALF_TRIES = "portal_half"
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−－ー_"), "-")
_NO_DASH = re.compile(r"([A-Z]+)([0-9]+)")


@dataclass(frozen=True, slots=True)
class Place:
    """The browser. `device`: opaque address; `label`: "Firefox, Android"; `mark`: kept from an earlier sign-in."""

    device: str
    label: str | None = None
    mark: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """The PIN was right and a code is awaited. `wait_s`: a message could not be sent yet."""

    token: str = field(repr=False)
    factor: str  # "totp" | "sms"
    wait_s: int = 0


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`mark`: for the browser to keep; it tells nobody whose it was."""

    token: str = field(repr=False)
    mark: str = field(repr=False)
    language: str


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """`code`: of the catalogue; `seconds`: how long to wait; `over`: the first step has to be taken again."""

    code: str
    seconds: int = 0
    over: bool = False


def normal(text: str) -> str:
    """A number as it is kept ("H-0047"), however it was typed; a card's code as it is."""
    text = text.strip()[:80]
    if text.startswith("OST-"):
        return text
    plain = "".join(unicodedata.normalize("NFKC", text).translate(_DASHES).upper().split())
    if fits := _NO_DASH.fullmatch(plain):
        plain = f"{fits[1]}-{fits[2].rjust(4, '0')}"
    return plain[:40]


def begin(
    house: House, number: str, pin: str, place: Place, *, old: str | None = None
) -> SignedIn | Begun | NotSignedIn:
    """The first step. `old`: id of a session this browser still shows; it ends."""
    row = _who(house, normal(number))
    name = row.number if row is not None else normal(number)
    bucket = tries.bucket(house, name, place.device, place.mark)
    if wait := tries.count(house, bucket):
        return NotSignedIn(WAIT, wait)
    stored = row.pin_hash if row is not None and row.active else None
    right = patients.pin_matches(stored or patients.NO_PIN, pin[:40]) and stored is not None
    if not right:
        return _wrong(house, row, bucket, place)
    with house.work(_actor(row.id, place), row.home_site, "portal.signed_in", patient=row.id) as work:
        now = work.lock_patients([row.id])[row.id]
        if now.active and now.pin_hash == stored:
            wanted = factors.of(work.tx, house, row.id)
            tries.right_pin(work.tx, bucket, complete=not wanted.any)
            if old:
                sessions.end_row(work, old)
            if not wanted.any:
                return _let_in(house, work, now, place, bucket)
            token = sessions.start(
                house, work, row.id, kind=sessions.HALF, device=place.device, label=place.label
            )
            sessions.keep_event(work, row.id, "pin_right", place.device)
            wait = 0
            if wanted.first == factors.SMS:
                wait = codes.send(house, work, row.id, wanted.contact.id, place.device)
            return Begun(token, wanted.first, wait)
    return _wrong(house, row, bucket, place)  # changed or ended while it was looked at


def give_code(house: House, half: sessions.PortalSession, typed: str, place: Place) -> SignedIn | NotSignedIn:
    """The second step: the authenticator's code, or the one that was sent. Each try is counted, and kept."""
    policy = policies.policy(house.policy_name)
    code = "".join(unicodedata.normalize("NFKC", typed[:40]).split())
    with house.work(_actor(half.patient, place), half.home_site, "portal.code", patient=half.patient) as work:
        now = work.lock_patients([half.patient])[half.patient]
        if not _still_half(work, half) or not now.active:
            return NotSignedIn(CODES_USED_UP, over=True)
        if wait := tries.count_code(house, work.tx, half.patient, work.now):
            sessions.end_row(work, half.id)
            sessions.keep_event(work, half.patient, "code_wait", place.device)
            return NotSignedIn(WAIT, wait, over=True)
        used = count_up(work.tx, Subject(_HALF_TRIES, half.id), work.now)
        wanted = factors.of(work.tx, house, half.patient)
        by_totp = wanted.totp and factors.right_totp(house, work, half.patient, code)
        by_sms = wanted.sms and codes.right(house, work, half.patient, code)
        if by_totp or by_sms or not wanted.any:
            sessions.end_row(work, half.id)
            tries.right_code(house, work.tx, half.patient)
            forgive(work.tx, [Subject(_HALF_TRIES, half.id)])
            bucket = tries.bucket(house, now.number, place.device, place.mark)
            tries.complete(work.tx, bucket)
            return _let_in(house, work, now, place, bucket)
        sessions.keep_event(work, half.patient, "code_wrong", place.device)
        if used >= policy.int("portal_code_tries"):
            sessions.end_row(work, half.id)
            forgive(work.tx, [Subject(_HALF_TRIES, half.id)])
            return NotSignedIn(CODES_USED_UP, over=True)
    return NotSignedIn(CODE_WRONG)


def send_code(house: House, half: sessions.PortalSession, place: Place) -> int:
    """Another code by message, in place of the authenticator or of the one before; seconds to wait, or 0.

    Without a telephone nothing is sent and nothing said.
    """
    with house.work(_actor(half.patient, place), half.home_site, "portal.code", patient=half.patient) as work:
        work.lock_patients([half.patient])
        wanted = factors.of(work.tx, house, half.patient)
        if not wanted.sms or not _still_half(work, half):
            return 0
        return codes.send(house, work, half.patient, wanted.contact.id, place.device)


# --- within ------------------------------------------------------------------


def _who(house: House, name: str) -> sa.Row | None:
    p = patient
    by = p.c.card_mac == house.keys.search_mac("card", name) if name.startswith("OST-") else p.c.number == name
    with house.read() as tx:
        return tx.execute(
            sa.select(p.c.id, p.c.number, p.c.active, p.c.pin_hash, p.c.home_site).where(by)
        ).one_or_none()


def _wrong(house: House, row: sa.Row | None, bucket: tries.Bucket, place: Place) -> NotSignedIn:
    with house.work(NOBODY, None, "portal.wrong") as work:
        if not bucket.known:
            tries.wrong(house, work.tx, bucket)
        # Also of somebody who is not known: the row is the same but for the id.
        sessions.keep_event(work, row.id if row is not None else None, "wrong", place.device)
    return NotSignedIn(WRONG)


def _let_in(house: House, work: Work, row: sa.Row, place: Place, bucket: tries.Bucket) -> SignedIn:
    token = sessions.start(house, work, row.id, kind=sessions.WHOLE, device=place.device, label=place.label)
    e = portal_event
    before = sa.select(e.c.id).where(e.c.patient == row.id, e.c.what == "signed_in").limit(1)
    if not bucket.known and work.tx.execute(before).first() is not None:
        # A browser that never signed in here: the person hears of it where they can be reached.
        outbox.tell(work, row.id, kinds.NEW_SIGN_IN, f"sign_in:{sessions.token_id(token)[:32]}")
    sessions.keep_event(work, row.id, "signed_in", place.device)
    return SignedIn(token, tries.new_mark(house, row.number), row.language)


def _still_half(work: Work, half: sessions.PortalSession) -> bool:
    s = sessions.portal_session
    query = sa.select(s.c.id).where(s.c.id == half.id, s.c.kind == sessions.HALF, s.c.ended_at.is_(None))
    return work.tx.execute(query).first() is not None


def _actor(patient_id: str, place: Place) -> Actor:
    return Actor(f"patient:{patient_id}", (), place.device)
