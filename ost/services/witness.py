"""The second person: their own user name and PIN become a token for one step, once.

The witness must hold `dose.witness` where the step happens and must not be the
acting person. A token is for one subject (a dose, a site's residue, a person at a
counter) and one act: what was said yes to once is not a yes to something else. The
token is burned inside the transaction that uses it, so a
step that fails leaves it unused and two steps cannot share it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models import dose, staff
from ost.models.site import site as sites
from ost.rules import access
from ost.services import credentials, sessions
from ost.services.access import county_of, require
from ost.services.sessions import token_id
from ost.services.sign_in import plain_name
from ost.services.throttle import Subject, count_try, forgive
from ost.services.work import Actor, House, Work

PERMISSION = "dose.witness"

#: What two persons do together.
OUTCOME, VOID, DESTROY, IDENTITY = ACTS = ("outcome", "void", "destroy", "identity")
OF_A_DOSE = (OUTCOME, VOID)


@dataclass(frozen=True, slots=True)
class Token:
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NoToken:
    code: str
    seconds: int = 0


def witness_dose(
    house: House, actor: Actor, dose_id: str, username: str, pin: str, act: str | None = None
) -> Token | NoToken:
    """A token for one dose; the dose says which site counts. Refusal("dose_unknown").

    Without `act` it is good for any one step on this dose, and for nothing else.
    """
    if act is not None and act not in OF_A_DOSE:
        raise ValueError(f"no act on a dose: {act!r}")
    d = dose.dose_attempt
    with house.read() as tx:
        site = tx.execute(sa.select(d.c.site).where(d.c.id == dose_id)).scalar()
    if site is None:
        raise Refusal("dose_unknown")
    require(house, actor, "dose.give", site)
    return witness(house, actor, dose_id, site, username, pin, act)


@dataclass(frozen=True, slots=True)
class Recognised:
    """The second person is who they say. `subjects`: whose wrong tries their step takes away."""

    account: str
    subjects: tuple[Subject, ...]


def recognise(
    house: House, actor: Actor, site: str, permission: str, username: str, pin: str
) -> Recognised | NoToken:
    """Somebody else than `actor` by user name and PIN, who holds `permission` at `site`.

    A wrong try is counted before it is checked, and kept; a name that does not
    exist looks like a wrong PIN.
    """
    name = plain_name(username)
    policy = policies.policy(house.policy_name)
    subjects = (Subject("pin", house.keys.search_mac("witness", name)),)
    lock = timedelta(minutes=policy.int("sign_in_lock_minutes_station"))
    with house.db.begin() as tx:
        counted = count_try(tx, subjects, house.now(), policy, lock)
    if counted.wait_s:
        return NoToken("sign_in_wait", counted.wait_s)
    a, g = staff.account, staff.role_grant
    with house.read() as tx:
        row = tx.execute(
            sa.select(a.c.id, a.c.pin_hash).where(a.c.username == name, a.c.active)
        ).one_or_none()
        grants = tx.execute(sa.select(g).where(g.c.account == (row.id if row else ""))).all()
    right = credentials.matches(row.pin_hash if row else None, pin)
    held = [access.Grant(r.role, r.scope_kind, r.scope) for r in grants]
    may = access.may(held, permission, site, county_of(house, site))
    if not right or not may:
        with house.work(actor, site, "witness.refused") as work:
            sessions.keep_event(work, row.id if row else None, "witness_wrong", actor.device, site)
        return NoToken("witness_wrong")
    if row.id == actor.id:
        with house.db.begin() as tx:
            forgive(tx, subjects)
        return NoToken("witness_is_you")
    return Recognised(row.id, subjects)


def witness(
    house: House, actor: Actor, subject: str, site: str, username: str, pin: str, act: str | None
) -> Token | NoToken:
    """A token for `act` (one of ACTS) on `subject` (a dose id, "destroy:...") at `site`, or why not."""
    second = recognise(house, actor, site, PERMISSION, username, pin)
    if isinstance(second, NoToken):
        return second
    policy = policies.policy(house.policy_name)
    token = secrets.token_urlsafe(24)
    with house.work(actor, site, "witness.signed") as work:
        forgive(work.tx, second.subjects)
        expires = work.now + timedelta(seconds=policy.int("witness_token_valid_s"))
        work.add(
            staff.witness_token,
            id=token_id(token),
            account=second.account,
            dose=subject,
            act=act,
            created_at=work.now,
            expires_at=expires,
        )
        sessions.keep_event(work, second.account, "witness", actor.device, site)
    return Token(token, expires)


def use_witness(work: Work, token: str, subject: str, site: str, *, act: str, not_account: str) -> str:
    """Burn the token inside this transaction; the witness's account id.

    Refusal("witness_invalid") when it is unknown, used, too old, for another
    subject or another act, or the account may no longer witness here; Refusal("witness_is_you").
    """
    w, a, g = staff.witness_token, staff.account, staff.role_grant
    # One statement: of two that try at once the database lets one through.
    account = work.tx.execute(
        sa.update(w)
        .where(
            w.c.id == token_id(token or ""),
            w.c.dose == subject,
            sa.or_(w.c.act.is_(None), w.c.act == act),
            w.c.used_at.is_(None),
            w.c.expires_at > work.now,
        )
        .values(used_at=work.now)
        .returning(w.c.account)
    ).scalar()
    if account is None:
        raise Refusal("witness_invalid", fields={"witness": ["witness_invalid"]})
    if account == not_account:
        raise Refusal("witness_is_you", fields={"witness": ["witness_is_you"]})
    grants = work.tx.execute(
        sa.select(g.c.role, g.c.scope_kind, g.c.scope)
        .join(a, a.c.id == g.c.account)
        .where(a.c.id == account, a.c.active)
    ).all()
    held = [access.Grant(r.role, r.scope_kind, r.scope) for r in grants]
    if not access.may(held, PERMISSION, site, _county(work, site)):
        raise Refusal("witness_invalid", fields={"witness": ["witness_invalid"]})
    return account


def _county(work: Work, site: str) -> str | None:
    return work.tx.execute(sa.select(sites.c.county).where(sites.c.id == site)).scalar()
