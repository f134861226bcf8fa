"""Sign in: password, then a code that works once.

Wrong tries are returned, because they are recorded; nothing that is returned
tells whether the name exists. `throttle` counts, `sessions` holds what comes
of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost import policies
from ost.models import staff, station
from ost.services import credentials, sessions
from ost.services.throttle import Subject, count_try, count_wrong, forgive
from ost.services.work import Actor, House

#: Who acts while nobody is known yet.
NOBODY = Actor("nobody")
WRONG, WAIT = "sign_in_wrong", "sign_in_wait"


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in. `device`: opaque. `station`: of a browser that worked a counter before."""

    device: str
    station: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    token: str
    expires_at: datetime
    account: str
    username: str
    display_name: str
    language: str


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """`code`: of the catalogue; `seconds`: how long to wait."""

    code: str
    seconds: int = 0


def sign_in(
    house: House, username: str, password: str, totp: str, place: Place, kind: str
) -> SignedIn | NotSignedIn:
    """A session of `kind` ("page" | "api"), or why not."""
    name = plain_name(username)
    enrolled = enrolled_station(house, place.station)
    account, device = subjects = subjects_of(house, name, place, enrolled)
    policy = policies.policy(house.policy_name)
    key = "sign_in_lock_minutes_station" if enrolled else "sign_in_lock_minutes"
    lock = timedelta(minutes=policy.int(key))
    with house.db.begin() as tx:
        counted = count_try(tx, [account], house.now(), policy, lock, also=[device])
    if counted.wait_s:
        return NotSignedIn(WAIT, counted.wait_s)

    a = staff.account
    with house.read() as tx:
        row = tx.execute(sa.select(a).where(a.c.username == name)).one_or_none()
    known = row if row is not None and row.active else None
    secret = credentials.open_totp(house.keys, known.id, known.totp_sealed) if known else None
    # Both are always looked at: how long it takes tells nothing.
    right = credentials.matches(known.password_hash if known else None, password)
    step = credentials.totp_step(secret, totp, house.now())
    if known and right and step is not None:
        signed = _let_in(house, known, step, place, enrolled, kind, subjects)
        if signed is not None:
            return signed
    return _keep_out(house, known.id if known else None, place, enrolled, counted.locked_now, device, lock)


def _let_in(house, known, step, place, enrolled, kind, subjects) -> SignedIn | None:
    a = staff.account
    with house.work(
        Actor(known.id, device=place.device), enrolled and enrolled.site, "sign_in.succeeded"
    ) as work:
        now = work.tx.execute(
            sa.select(a.c.totp_last_step, a.c.active, a.c.password_hash)
            .where(a.c.id == known.id)
            .with_for_update()
        ).one()
        # Under the row's lock: of two with the same code one is too late. A password
        # changed since we looked is not the one that was checked.
        if not now.active or step <= now.totp_last_step or now.password_hash != known.password_hash:
            return None
        work.tx.execute(sa.update(a).where(a.c.id == known.id).values(totp_last_step=step))
        token, expires = sessions.start(
            work, account=known.id, kind=kind, device=place.device, station=enrolled and enrolled.id
        )
        forgive(work.tx, subjects)
        sessions.keep_event(work, known.id, "signed_in", place.device, enrolled and enrolled.site)
        return SignedIn(token, expires, known.id, known.username, known.display_name, known.language)


def _keep_out(house, account, place, enrolled, locked_now, device, lock) -> NotSignedIn:
    where = enrolled and enrolled.site
    with house.work(NOBODY, where, "sign_in.failed") as work:
        policy = policies.policy(house.policy_name)
        locked_now = count_wrong(work.tx, [device], work.now, policy, lock) or locked_now
        sessions.keep_event(work, account, "wrong", place.device, where)
        if locked_now:
            sessions.keep_event(work, account, "locked", place.device, where)
    return NotSignedIn(WRONG)


def plain_name(username: str) -> str:
    return username.strip().casefold()[:60]


def subjects_of(house: House, name: str, place: Place, enrolled) -> tuple[Subject, Subject]:
    """What a try is counted for: the account, the device.

    At an enrolled station an account has a count of its own: whoever locks a
    nurse's account from elsewhere does not lock them out of their counter.
    """
    mac = house.keys.search_mac
    if enrolled:
        return (
            Subject("account", mac("sign-in at station", f"{name}\0{enrolled.id}")),
            Subject("device", mac("station", enrolled.id)),
        )
    return Subject("account", mac("sign-in", name)), Subject("device", mac("sign-in device", place.device))


def enrolled_station(house: House, station_id: str | None):
    """The station's row if it is enrolled and not revoked."""
    if not station_id:
        return None
    st = station.station
    query = sa.select(st.c.id, st.c.site).where(
        st.c.id == station_id, st.c.enrolled_at.is_not(None), st.c.revoked_at.is_(None)
    )
    with house.read() as tx:
        return tx.execute(query).one_or_none()
