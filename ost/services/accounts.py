"""Accounts: made with a password, a PIN and a code generator from the start; roles granted and taken.

No account has a default password; whoever makes one sets it, or has it drawn.
It does not sign anybody in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import staff
from ost.rules import access
from ost.services import credentials, sessions
from ost.services.access import require
from ost.services.sign_in import plain_name
from ost.services.work import SYSTEM, Actor, House, Work, new_id

LANGUAGES = ("zh_Hant_TW", "en", "zh_Hans_CN")
_WORDLIKE = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """`totp`: the shared secret, shown once; the database holds it sealed."""

    id: str
    username: str
    totp: str


def create_account(
    house: House,
    actor: Actor,
    *,
    username: str,
    display_name: str,
    password: str,
    pin: str,
    totp: str | None = None,
    language: str = "zh_Hant_TW",
) -> NewAccount:
    """A new account without any role. Refusal: account_exists, password_weak, pin_weak, not_permitted."""
    require(house, actor, "account.manage", None)
    name = plain_name(username)
    if not name or not display_name.strip():
        raise Refusal("input_invalid", fields={"username": ["Missing data for required field."]})
    credentials.check_password(password, name)
    credentials.check_pin(pin)
    secret = totp or credentials.new_totp()
    account = new_id()
    hashes = credentials.hash_secret(password), credentials.hash_secret(pin)
    try:
        with house.work(actor, None, "account.created") as work:
            work.payload = {"account": account}
            work.add(
                staff.account,
                id=account,
                username=name,
                display_name=display_name.strip()[:80],
                password_hash=hashes[0],
                pin_hash=hashes[1],
                totp_sealed=credentials.seal_totp(house.keys, account, secret),
                totp_last_step=0,
                language=language if language in LANGUAGES else LANGUAGES[0],
                active=True,
                created_at=work.now,
            )
    except sa.exc.IntegrityError as error:
        raise Refusal("account_exists", fields={"username": ["account_exists"]}) from error
    return NewAccount(account, name, secret)


def grant_role(house: House, actor: Actor, account: str, role: str, scope_kind: str, scope: str) -> None:
    """Give a role; again the same role in the same scope changes nothing.

    The granter must hold `account.manage` in that scope, and nobody grants to themselves.
    """
    if role not in access.ROLES or scope_kind not in access.SCOPES or not scope:
        raise Refusal("role_unknown", fields={"role": ["role_unknown"]})
    if scope_kind == access.NETWORK:
        scope = "*"
    _require_scope(house, actor, scope_kind, scope)
    if account == actor.id:
        raise Refusal("not_permitted", permission="account.manage")
    g = staff.role_grant
    with house.work(actor, scope if scope_kind == access.SITE else None, "role.granted") as work:
        _account(work, account)
        same = (g.c.account == account, g.c.role == role, g.c.scope_kind == scope_kind, g.c.scope == scope)
        if work.tx.execute(sa.select(g.c.id).where(*same)).scalar():
            return
        work.payload = {"account": account, "role": role, "scope_kind": scope_kind, "scope": scope}
        work.add(g, id=new_id(), account=account, role=role, scope_kind=scope_kind, scope=scope)


def revoke_role(house: House, actor: Actor, account: str, role: str, scope_kind: str, scope: str) -> None:
    """Take a role; it is gone with the next request of that person."""
    _require_scope(house, actor, scope_kind, scope)
    g = staff.role_grant
    with house.work(actor, scope if scope_kind == access.SITE else None, "role.revoked") as work:
        gone = work.tx.execute(
            sa.delete(g).where(
                g.c.account == account, g.c.role == role, g.c.scope_kind == scope_kind, g.c.scope == scope
            )
        )
        if gone.rowcount:
            work.payload = {"account": account, "role": role, "scope_kind": scope_kind, "scope": scope}


def set_password(house: House, actor: Actor, account: str, password: str) -> None:
    """A new password; every session of the account ends."""
    _own_or_manager(house, actor, account)
    with house.read() as tx:
        name = tx.execute(sa.select(staff.account.c.username).where(staff.account.c.id == account)).scalar()
    credentials.check_password(password, name or "")
    _change(house, actor, account, "account.password", password_hash=credentials.hash_secret(password))


def set_pin(house: House, actor: Actor, account: str, pin: str) -> None:
    """A new PIN; every session of the account ends."""
    _own_or_manager(house, actor, account)
    credentials.check_pin(pin)
    _change(house, actor, account, "account.pin", pin_hash=credentials.hash_secret(pin))


def set_language(house: House, actor: Actor, language: str) -> None:
    """The person's own language, for every device."""
    if language not in LANGUAGES:
        raise Refusal("input_invalid", fields={"language": ["Invalid value."]})
    a = staff.account
    with house.db.begin() as tx:
        tx.execute(sa.update(a).where(a.c.id == actor.id).values(language=language))


def close_account(house: House, actor: Actor, account: str) -> None:
    """The person left: no sign-in any more, every session ends; what they wrote stays theirs."""
    require(house, actor, "account.manage", None)
    _change(house, actor, account, "account.closed", active=False)


def draw_password() -> str:
    """A password to hand over once: four groups, easy to read out."""
    return "-".join("".join(secrets.choice(_WORDLIKE) for _ in range(5)) for _ in range(4))


def draw_pin() -> str:
    """A PIN that `check_pin` accepts."""
    while True:
        pin = f"{secrets.randbelow(10**6):06}"
        try:
            credentials.check_pin(pin)
        except Refusal:
            continue
        return pin


def _change(house: House, actor: Actor, account: str, kind: str, **values) -> None:
    a = staff.account
    with house.work(actor, None, kind) as work:
        _account(work, account)
        work.tx.execute(sa.update(a).where(a.c.id == account).values(**values))
        ended = sessions.end_all(work, account)
        work.payload = {"account": account, "sessions_ended": ended}


def _account(work: Work, account: str) -> None:
    a = staff.account
    if work.tx.execute(sa.select(a.c.id).where(a.c.id == account).with_for_update()).scalar() is None:
        raise Refusal("account_unknown")


def _own_or_manager(house: House, actor: Actor, account: str) -> None:
    if actor.id != account:
        require(house, actor, "account.manage", None)


def _require_scope(house: House, actor: Actor, scope_kind: str, scope: str) -> None:
    if scope_kind == access.SITE:
        require(house, actor, "account.manage", scope)
    elif scope_kind == access.COUNTY and actor is not SYSTEM:
        if not access.may(actor.grants, "account.manage", None, scope):
            raise Refusal("not_permitted", permission="account.manage")
    else:
        require(house, actor, "account.manage", None)
