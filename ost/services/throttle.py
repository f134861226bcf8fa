"""Wrong tries slow down, then lock: counted in the database, per account and per device.

An account's try is counted before it is checked, in a transaction of its own,
so that a hundred tries at once are a hundred tries; a device's only when it
was wrong. Success takes the count away again.
Names that do not exist are counted like those that do. A store that is down
lets nobody in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost.models import staff
from ost.rules.policy import Policy

# Makes the row or finds it, and locks it either way: between a look and a lock a
# success elsewhere may take the row away.
_LOCK = (
    sa.text(
        "INSERT INTO sign_in_failure (subject_kind, subject, count, last_at) VALUES (:kind, :subject, 0, :now) "
        "ON CONFLICT (subject_kind, subject) DO UPDATE SET count = sign_in_failure.count "
        "RETURNING subject_kind, subject, count, last_at, locked_until"
    )
    .bindparams(sa.bindparam("now", type_=staff.sign_in_failure.c.last_at.type))
    .columns(*staff.sign_in_failure.c)
)
#: A longer wait than this is what the lock is for.
_LONGEST_DELAY_S = 60


@dataclass(frozen=True, slots=True)
class Subject:
    """What is counted: kind "account" | "device" | "pin", and an opaque name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Counted:
    """`wait_s` > 0: refused unseen for so long. `locked_now`: this try was the one that locks."""

    wait_s: int = 0
    locked_now: bool = False


def count_try(
    tx: sa.Connection,
    subjects: Iterable[Subject],
    now: datetime,
    policy: Policy,
    lock: timedelta,
    *,
    also: Iterable[Subject] = (),
) -> Counted:
    """Count one try for every subject, unless one of them, or of `also`, has to wait."""
    subjects, also = _ordered(subjects), _ordered(also)
    rows = [lock_row(tx, subject, now) for subject in subjects]
    f = staff.sign_in_failure
    waits = [_left(row.locked_until, now) for row in rows]
    for subject in also:
        query = sa.select(f.c.locked_until).where(
            f.c.subject_kind == subject.kind, f.c.subject == subject.name
        )
        waits.append(_left(tx.execute(query).scalar(), now))
    if any(waits):
        return Counted(wait_s=max(waits))
    locked = [_count(tx, row, now, policy, lock) for row in rows]
    _forget_old(tx, now, policy)
    return Counted(locked_now=any(locked))


def count_wrong(
    tx: sa.Connection, subjects: Iterable[Subject], now: datetime, policy: Policy, lock: timedelta
) -> bool:
    """Count a try that was wrong, after the fact; whether that locks.

    For what many people share: a whole ward behind one network address signs
    in at once, and tries that are right must not slow each other down.
    """
    rows = [lock_row(tx, subject, now) for subject in _ordered(subjects)]
    locked = [_count(tx, row, now, policy, lock) for row in rows]  # all of them, also after the first
    return any(locked)


def _ordered(subjects: Iterable[Subject]) -> list[Subject]:
    """Rows are locked in one order everywhere."""
    return sorted(subjects, key=lambda s: (s.kind, s.name))


def _count(tx: sa.Connection, row, now: datetime, policy: Policy, lock: timedelta) -> bool:
    f = staff.sign_in_failure
    count, until = _next(row, now, policy, lock)
    tx.execute(
        sa.update(f)
        .where(f.c.subject_kind == row.subject_kind, f.c.subject == row.subject)
        .values(count=count, last_at=now, locked_until=until)
    )
    return until is not None and count >= policy.int("sign_in_lock_after")


def lock_row(tx: sa.Connection, subject: Subject, now: datetime):
    """The row of a subject, locked; made if it was not there."""
    return tx.execute(_LOCK, {"kind": subject.kind, "subject": subject.name, "now": now}).one()


def count_up(tx: sa.Connection, subject: Subject, now: datetime) -> int:
    """One more; how many it is now. For counts without delays."""
    count = lock_row(tx, subject, now).count + 1
    f = staff.sign_in_failure
    tx.execute(
        sa.update(f)
        .where(f.c.subject_kind == subject.kind, f.c.subject == subject.name)
        .values(count=count, last_at=now)
    )
    return count


def _next(row, now: datetime, policy: Policy, lock: timedelta) -> tuple[int, datetime | None]:
    free, limit = policy.int("sign_in_free_tries"), policy.int("sign_in_lock_after")
    count = row.count
    if now - row.last_at > timedelta(minutes=policy.int("sign_in_forget_minutes")) or row.last_at > now:
        count = 0
    elif count >= limit:
        count = free  # the lock was served; the delays stay
    count += 1
    if count >= limit:
        return count, now + lock
    if count >= free:
        delay = min(policy.int("sign_in_delay_s") * 2 ** (count - free), _LONGEST_DELAY_S)
        return count, now + timedelta(seconds=delay)
    return count, None


def _left(until: datetime | None, now: datetime) -> int:
    if until is None or until <= now:
        return 0
    return max(1, -(-int((until - now).total_seconds() * 1000) // 1000))


def take_back(tx: sa.Connection, subject: Subject) -> None:
    """One try less: it was right, which says nothing of the wrong ones before it."""
    f = staff.sign_in_failure
    one = sa.update(f).where(f.c.subject_kind == subject.kind, f.c.subject == subject.name, f.c.count > 0)
    tx.execute(one.values(count=f.c.count - 1))


def forgive(tx: sa.Connection, subjects: Iterable[Subject]) -> None:
    """Take the counts away: the try succeeded, or a colleague unlocked."""
    f = staff.sign_in_failure
    for subject in subjects:
        tx.execute(sa.delete(f).where(f.c.subject_kind == subject.kind, f.c.subject == subject.name))


def _forget_old(tx: sa.Connection, now: datetime, policy: Policy) -> None:
    """Rows that no longer count go, so that made-up names do not fill the table."""
    f = staff.sign_in_failure
    old = now - 2 * timedelta(minutes=policy.int("sign_in_forget_minutes"))
    tx.execute(
        sa.delete(f).where(f.c.last_at < old, sa.or_(f.c.locked_until.is_(None), f.c.locked_until < old))
    )
