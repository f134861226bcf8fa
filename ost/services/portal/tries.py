"""Wrong tries at the patients' door: per number, per browser that is known, per address, and all together.

Every try is counted before it is looked at, so that a hundred at once are a hundred;
numbers nobody has are counted like those somebody has. The counts have kinds of their
own: the counter's PIN is not locked from here, nor this door from there. A browser that
has signed in before is counted by itself, so that a stranger who locks a number does not
lock out its owner's telephone. Decides nothing about right or wrong.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost import policies
from ost.models import staff
from ost.services.throttle import Subject, count_try, count_wrong, forgive, lock_row
from ost.services.work import House

#: Kinds in `sign_in_failure`.
BUCKET, DAY, ALL, DEVICE = "portal", "portal_day", "portal_all", "portal_device"
CODE, PIN = "portal_code", "portal_pin"
_F = staff.sign_in_failure
_A_DAY, _AN_HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What one try is counted under. `known`: the browser signed in with this number before."""

    name: str
    device: str
    known: bool


def bucket(house: House, number: str, device: str, mark: str | None) -> Bucket:
    """`mark`: what the browser kept from an earlier sign-in; of another number it counts for nothing."""
    who = house.keys.search_mac("portal number", number)
    nonce, _, mac = (mark or "").partition(".")
    known = len(nonce) == 32 and secrets.compare_digest(mac.encode(), _mark_mac(house, nonce, number).encode())
    name = house.keys.search_mac("portal browser", nonce) if known else who
    return Bucket(name, house.keys.search_mac("portal device", device), known)


def new_mark(house: House, number: str) -> str:
    """For a browser that has just signed in: it tells nobody whose number it was."""
    nonce = secrets.token_hex(16)
    return f"{nonce}.{_mark_mac(house, nonce, number)}"


def _mark_mac(house: House, nonce: str, number: str) -> str:
    return house.keys.search_mac("portal mark", f"{nonce}\0{number}")


def count(house: House, where: Bucket) -> int:
    """Count one try; seconds to wait, and then the try is not to be looked at. 0 = go on."""
    policy, now = policies.policy(house.policy_name), house.now()
    with house.db.begin() as tx:
        # People behind one network address share it: their own browsers do not wait for a stranger's tries.
        also = [] if where.known else [Subject(DEVICE, where.device)]
        counted = count_try(tx, [Subject(BUCKET, where.name)], now, policy, _lock(policy), also=also)
        if counted.wait_s:
            return counted.wait_s
        if not where.known and (wait := _window(tx, _ALL, now, policy.int("portal_all_hour_tries"), _AN_HOUR)):
            return wait
        return _window(tx, Subject(DAY, where.name), now, policy.int("portal_number_day_tries"), _A_DAY)


def wrong(house: House, tx: sa.Connection, where: Bucket) -> None:
    """The try was wrong: the address it came from is slower from now on."""
    policy = policies.policy(house.policy_name)
    count_wrong(tx, [Subject(DEVICE, where.device)], house.now(), policy, _lock(policy))


def right_pin(tx: sa.Connection, where: Bucket, *, complete: bool) -> None:
    """The PIN was right: not a guess among all. The number's own delays stay until the sign-in is complete.

    Rows are locked in the order of `count`.
    """
    if complete:
        forgive(tx, [Subject(BUCKET, where.name)])
    if not where.known:
        _take_back(tx, _ALL)
    _take_back(tx, Subject(DAY, where.name))


def complete(tx: sa.Connection, where: Bucket) -> None:
    forgive(tx, [Subject(BUCKET, where.name)])


def count_code(house: House, tx: sa.Connection, patient: str, now: datetime) -> int:
    """One more code of this person today; seconds to wait when it was one too many."""
    limit = policies.policy(house.policy_name).int("portal_code_day_tries")
    return _window(tx, _person(house, CODE, patient), now, limit, _A_DAY)


def right_code(house: House, tx: sa.Connection, patient: str) -> None:
    forgive(tx, [_person(house, CODE, patient)])


def count_old_pin(house: House, patient: str) -> int:
    """Somebody signed in types the PIN they have, to change something: seconds to wait, or 0."""
    policy = policies.policy(house.policy_name)
    with house.db.begin() as tx:
        return count_try(tx, [_person(house, PIN, patient)], house.now(), policy, _lock(policy)).wait_s


def right_old_pin(house: House, tx: sa.Connection, patient: str) -> None:
    forgive(tx, [_person(house, PIN, patient)])


def open_again(house: House, tx: sa.Connection, patient: str, number: str) -> None:
    """A nurse who knows the person takes the counts of their number away."""
    who = house.keys.search_mac("portal number", number)
    forgive(tx, [Subject(BUCKET, who), Subject(DAY, who), _person(house, CODE, patient), _person(house, PIN, patient)])


_ALL = Subject(ALL, "all")


def _person(house: House, kind: str, patient: str) -> Subject:
    return Subject(kind, house.keys.search_mac(kind, patient))


def _lock(policy) -> timedelta:
    return timedelta(minutes=policy.int("sign_in_lock_minutes"))


def _window(tx: sa.Connection, subject: Subject, now: datetime, limit: int, length: timedelta) -> int:
    """Count one within a stretch of time that starts with the first; `locked_until` is its end, and keeps the row."""
    row = lock_row(tx, subject, now)
    over = row.locked_until is None or row.locked_until <= now
    until = now + length if over else row.locked_until
    used = 0 if over else row.count
    if used >= limit:
        return max(1, -(-int((until - now).total_seconds() * 1000) // 1000))
    tx.execute(_row(subject).values(count=used + 1, last_at=now, locked_until=until))
    return 0


def _take_back(tx: sa.Connection, subject: Subject) -> None:
    tx.execute(_row(subject).where(_F.c.count > 0).values(count=_F.c.count - 1))


def _row(subject: Subject) -> sa.Update:
    return sa.update(_F).where(_F.c.subject_kind == subject.kind, _F.c.subject == subject.name)
