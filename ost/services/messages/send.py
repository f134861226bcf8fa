"""Empty the outbox: claim a message, send it, write down what became of it. Never twice by itself.

That it is being sent is on disk before anything goes out. Whoever claimed it and is not heard of again within the
lease leaves it "unknown": a person may decide to send it again. A far end that says "not now" gets it later, twice as
late each time; one that says nothing gets it again only if it knows our keys and takes a message once. Decides nothing
about what is told.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from ost import clock, policies
from ost.channels.interface import Channel, Ending, NotSent, Outgoing, Sent, Unknown
from ost.keys import SealBroken
from ost.log import log
from ost.models import message, site
from ost.models.patient import patient
from ost.services import consents, sealed
from ost.services.messages import contacts, kinds
from ost.services.messages.outbox import WAITING
from ost.services.work import SYSTEM, House, Work, new_id

SENDING, SENT, GIVEN_UP, UNKNOWN, NOWHERE = "sending", "sent", "given_up", "unknown", "nowhere"

#: As long as LINE keeps a key, less an hour for clocks; other gateways are believed for no longer.
KEYS_KEPT = timedelta(hours=23)

_M, _T = message.message, message.message_try


@dataclass(frozen=True, slots=True)
class Claim:
    """One message in hand. `number`: of the try, which is also whose hand it is in."""

    id: str
    patient: str
    site: str
    number: int
    channel: Channel
    outgoing: Outgoing


def send_due(house: House, channels: Sequence[Channel], workers: int = 1) -> Counter:
    """Send everything that is due now, several at once. What became of how many, by state."""
    done = Counter({UNKNOWN: sweep(house)})
    if workers == 1:
        return +(done + _work_off(house, channels))
    with ThreadPoolExecutor(workers, thread_name_prefix="messages") as pool:
        hands = [pool.submit(_work_off, house, channels) for _ in range(workers)]
        return +sum((hand.result() for hand in hands), done)


def _work_off(house: House, channels: Sequence[Channel]) -> Counter:
    done: Counter = Counter()
    while (claimed := claim(house, channels)) is not None:
        if isinstance(claimed, Claim):
            claimed = mark(house, claimed, _send(claimed), channels)
        done[claimed] += 1
    return done


def _send(claimed: Claim) -> Ending:
    try:
        return claimed.channel.send(claimed.outgoing)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is written down and said
        # A channel promises to raise nothing. One that does may have sent it; the others still go out.
        log.error("channel_broke", channel=claimed.channel.name, error=type(error).__name__)
        return Unknown("channel_broke")


def sweep(house: House) -> int:
    """Messages whose sender was not heard of within the lease are "unknown" now. How many."""
    count = 0
    while True:
        with house.work(SYSTEM, None, "message.lost") as work:
            row = work.tx.execute(
                _due(SENDING).where(_M.c.next_at < sa.bindparam("now")), {"now": work.now}
            ).one_or_none()
            if row is None:
                return count
            _at_home(work, row)
            _try(work, row, row.tries, row.channel or "-", "unknown", "lease_over")
            _settle(work, row, UNKNOWN, "lease_over")
            count += 1


def claim(house: House, channels: Sequence[Channel]) -> Claim | str | None:
    """The oldest message that is due, in hand now; or the state it ended in without a try; None: nothing is due."""
    with house.work(SYSTEM, None, "message.settled") as work:
        row = work.tx.execute(
            _due(WAITING).where(_M.c.next_at <= sa.bindparam("now")), {"now": work.now}
        ).one_or_none()
        if row is None:
            return None
        home = _at_home(work, row)
        try:
            found = _way(house, work, row, home, channels)
            if isinstance(found, Ended):
                return _settle(work, row, found.state, found.error)
            contact, channel = found
            secret = _secret(house, work, row)
            text = kinds.render(work.tx, row.kind, json.loads(row.data), row.language, home.id, secret)
        except (ValueError, KeyError, TypeError) as error:
            # One that cannot be written must not stand before all others.
            log.error("message_unreadable", message=row.id, kind=row.kind, error=type(error).__name__)
            return _settle(work, row, GIVEN_UP, "unreadable")
        newest = sa.select(sa.func.max(_T.c.number)).where(_T.c.message == row.id)
        number = 1 + max(row.tries, work.tx.execute(newest).scalar() or 0)
        lease = timedelta(seconds=policies.policy(home.policy).int("message_lease_s"))
        work.tx.execute(
            sa.update(_M)
            .where(_M.c.id == row.id)
            .values(state=SENDING, tries=number, channel=channel.name, next_at=work.now + lease)
        )
        tag = row.language.replace("_", "-")
        outgoing = Outgoing(row.id, contact.address, text.subject, text.body, tag, work.now)
        return Claim(row.id, row.patient, home.id, number, channel, outgoing)


def mark(house: House, claimed: Claim, ending: Ending, channels: Sequence[Channel]) -> str:
    """Write down how a try ended. Returns the message's state.

    Whoever comes back after the lease adds what they know: a message found to be sent is sent.
    """
    with house.work(SYSTEM, claimed.site, "message.tried", patient=claimed.patient) as work:
        row = work.tx.execute(sa.select(_M).where(_M.c.id == claimed.id).with_for_update()).one()
        in_hand = row.state == SENDING and row.tries == claimed.number
        number = claimed.number
        if not in_hand:
            newest = sa.select(sa.func.max(_T.c.number)).where(_T.c.message == row.id)
            number = 1 + max(row.tries, work.tx.execute(newest).scalar() or 0)
        result, error, provider = _plain(ending)
        _try(work, row, number, claimed.channel.name, result, error, provider)
        if isinstance(ending, Sent):
            if in_hand or row.state in (UNKNOWN, WAITING):
                return _settle(work, row, SENT, None, tries=number)
            return row.state
        if not in_hand:
            return row.state  # somebody decided meanwhile what "not known" means
        return _after(house, work, row, claimed.channel, ending, channels)


# --- within ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    state: str
    error: str


def _due(state: str) -> sa.Select:
    """The first of them, locked: whoever else is at work takes the next one.

    A person's news goes out in the order it was made, so that "on hold" never arrives after "stands again"; a code,
    which somebody waits for, goes past.
    """
    query = sa.select(_M).where(_M.c.state == state, _M.c.patient.is_not(None))
    if state == WAITING:
        earlier = _M.alias("earlier")
        before = sa.exists().where(
            earlier.c.patient == _M.c.patient,
            earlier.c.state.in_((WAITING, SENDING)),
            earlier.c.created_at < _M.c.created_at,
            earlier.c.kind != kinds.CODE,
        )
        query = query.where(sa.or_(_M.c.kind == kinds.CODE, ~before))
    return query.order_by(_M.c.next_at, _M.c.created_at, _M.c.id).limit(1).with_for_update(of=_M, skip_locked=True)


def _home(work: Work, row) -> sa.Row:
    s = site.site
    return work.tx.execute(
        sa.select(s.c.id, s.c.tz, s.c.policy)
        .join(patient, patient.c.home_site == s.c.id)
        .where(patient.c.id == row.patient)
    ).one()


def _at_home(work: Work, row) -> sa.Row:
    """The person's home site, whose chain this transaction belongs to."""
    home = _home(work, row)
    work.site, work.patient = home.id, row.patient
    return home


def _way(house: House, work: Work, row, home, channels: Sequence[Channel]) -> Ended | tuple[contacts.Contact, Channel]:
    """Where and how to try now, or that there is no way."""
    data = json.loads(row.data)
    if work.now >= kinds.good_until(row.kind, data, row.created_at, home.tz):
        return Ended(GIVEN_UP, "too_late")
    today = clock.dosing_day(work.now, home.tz)
    if not kinds.KINDS[row.kind].asked_for and not consents.stands(work.tx, row.patient, consents.MESSAGES, today):
        return Ended(NOWHERE, "no_consent")
    try:
        reached = _reached(house, work, row)
    except SealBroken:
        return Ended(NOWHERE, "forgotten")
    if not reached:
        return Ended(NOWHERE, "no_address")
    ways = _ways(reached, channels)
    if not ways:
        return Ended(NOWHERE, "no_channel")
    left = _open(ways, _tries(work, row))
    return left[0] if left else Ended(GIVEN_UP, "refused")


def _reached(house: House, work: Work, row) -> list[contacts.Contact]:
    wanted = json.loads(row.data).get("contact")
    if not wanted:
        return contacts.reachable(work.tx, house, row.patient)
    found = contacts.one(work.tx, house, row.patient, wanted)
    return [found] if found else []


def _ways(reached: list[contacts.Contact], channels: Sequence[Channel]) -> list:
    return [(contact, channel) for contact in reached for channel in channels if contact.channel in channel.serves]


def _open(ways: list, tries: list) -> list:
    """Ways that may be tried: the one tried least first, then by the person's choice."""
    unsure = {t.channel for t in tries if t.result == "unknown"}
    refused = [(t.channel, t.at) for t in tries if t.result == "refused"]
    count = Counter(t.channel for t in tries)
    left = [
        (contact, channel)
        for contact, channel in ways
        # Another address since then is another question.
        if not any(name == channel.name and at >= contact.at for name, at in refused)
        # After silence nobody else may carry it: it may have arrived.
        and (not unsure or (unsure == {channel.name} and channel.knows_keys))
    ]
    return sorted(left, key=lambda way: count[way[1].name])  # stable: the person's order stays


def _tries(work: Work, row) -> list:
    """Those since a person last had it sent again."""
    query = sa.select(_T).where(_T.c.message == row.id, _T.c.number > row.tries_before).order_by(_T.c.number)
    return list(work.tx.execute(query))


def _after(
    house: House, work: Work, row, channel: Channel, ending: NotSent | Unknown, channels: Sequence[Channel]
) -> str:
    """When to try again after a try that did not arrive, or that it is over."""
    policy = policies.policy(_home(work, row).policy)
    most, tries, error = policy.int("message_tries"), _tries(work, row), _plain(ending)[1]
    count = Counter(t.channel for t in tries)
    mine = count[channel.name]
    unsure = any(t.result == "unknown" for t in tries)
    left = [way[1].name for way in _open(_ways(_reached(house, work, row), channels), tries)]
    soon = any(name != channel.name and count[name] < min(mine, most) for name in left)
    old = work.now - min(t.at for t in tries) > KEYS_KEPT
    if not soon and (mine >= most or channel.name not in left or (unsure and old)):
        return _settle(work, row, UNKNOWN if unsure else GIVEN_UP, error)
    wait = timedelta(0)
    if not soon:
        wait = timedelta(seconds=policy.int("message_backoff_s") * 2 ** (mine - 1))
        if isinstance(ending, NotSent) and ending.retry_after_s:
            wait = max(wait, timedelta(seconds=ending.retry_after_s))
    values = {"state": WAITING, "error": error, "next_at": work.now + wait}
    work.tx.execute(sa.update(_M).where(_M.c.id == row.id).values(**values))
    return WAITING


def _secret(house: House, work: Work, row) -> str | None:
    if row.secret_sealed is None:
        return None
    key = sealed.person_key(work.tx, house.keys, row.patient)
    return sealed.unseal_text(key, row.patient, "message", f"secret:{row.id}", row.secret_sealed)


def _plain(ending: Ending) -> tuple[str, str | None, str | None]:
    """(result, error, the far end's number)."""
    if isinstance(ending, Sent):
        return "sent", None, ending.provider_id
    if isinstance(ending, Unknown):
        return "unknown", ending.error, None
    return ("refused" if ending.permanent else "failed"), ending.error, None


def _try(work: Work, row, number: int, channel: str, result: str, error: str | None, provider: str | None = None):
    work.add(
        _T,
        id=new_id(),
        message=row.id,
        number=number,
        channel=channel,
        result=result,
        error=error,
        provider_id=provider,
        at=work.now,
    )


def _settle(work: Work, row, state: str, error: str | None, tries: int | None = None) -> str:
    """Over: a code in it is gone from now on."""
    values = {"state": state, "error": error, "done_at": work.now, "secret_sealed": None}
    work.tx.execute(sa.update(_M).where(_M.c.id == row.id).values(**values, tries=tries or row.tries))
    work.payload |= {"message": row.id, "state": state, "error": error}
    return state

