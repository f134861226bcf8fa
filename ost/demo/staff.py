"""Accounts of the practice network. Passwords, PINs and code generators are drawn, never written in the program."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ost.demo.dispensing import Staff
from ost.demo.network import MAIN, SITES
from ost.models import staff
from ost.services import accounts, credentials
from ost.services.work import Work, new_id


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who can sign in. What is secret is only here and in the demo's secrets file."""

    id: str
    username: str
    display_name: str
    roles: tuple[str, ...]
    sites: tuple[str, ...]
    network: bool = False
    password: str = field(default="", repr=False)
    pin: str = field(default="", repr=False)
    totp: str = field(default="", repr=False)


_COUNTY_STAFF = (
    ("prescriber", ("prescriber",), {"HUA": "黃醫師", "TPE": "吳醫師"}),
    ("pharmacist", ("pharmacist",), {"HUA": "李藥師", "TPE": "許藥師"}),
    ("case", ("case_manager", "registrar"), {"HUA": "張個管師", "TPE": "郭個管師"}),
)
_NURSES = {
    "HUA1": ("林護理師", "陳護理師"),
    "HUA2": ("曾護理師",),
    "HUA3": ("江護理師",),
    "TPE1": ("王護理師", "周護理師"),
    "TPE2": ("蔡護理師",),
    "TPE3": ("廖護理師",),
}


def members() -> list[Member]:
    """Everybody, with fresh secrets; the main sites' people first."""
    made = []
    for main in MAIN:
        county = next(s.county for s in SITES if s.id == main)
        sites = tuple(s.id for s in SITES if s.county == county)
        stem = county.lower()
        for n, name in enumerate(_NURSES[main], 1):
            made.append(_member(f"{stem}.nurse{n}", name, ("nurse",), (main,)))
        for what, roles, names in _COUNTY_STAFF:
            made.append(_member(f"{stem}.{what}", names[county], roles, sites))
        made.append(_member(f"{stem}.admin", "系統管理員", ("admin",), sites, network=main == MAIN[0]))
    for site, names in _NURSES.items():
        if site not in MAIN:
            made.append(_member(f"{site.lower()}.nurse", names[0], ("nurse",), (site,)))
    made.append(_member("centre", "何協調員", ("coordinator",), tuple(s.id for s in SITES), network=True))
    return made


def _member(
    username: str, name: str, roles: tuple[str, ...], sites: tuple[str, ...], network=False
) -> Member:
    return Member(
        new_id(),
        username,
        name,
        roles,
        sites,
        network,
        # Three of its four groups: long enough for a demo, short enough to type.
        accounts.draw_password().rsplit("-", 1)[0],
        accounts.draw_pin(),
        credentials.new_totp(),
    )


class Hashing:
    """Passwords and PINs being hashed in the background: made slow on purpose, so the history goes on meanwhile."""

    def __init__(self, people: Iterable[Member]):
        self._pool = ThreadPoolExecutor(1)
        secrets = [s for m in people for s in (m.password, m.pin)]
        self._hashes = [self._pool.submit(credentials.hash_secret, s) for s in secrets]

    def result(self) -> list[str]:
        with self._pool:
            return [h.result() for h in self._hashes]


def write(work: Work, people: Iterable[Member], hashes: list[str]) -> None:
    """`hashes`: password and PIN of each, in order."""
    people = list(people)
    rows, grants = [], []
    for n, m in enumerate(people):
        rows.append(
            {
                "id": m.id,
                "username": m.username,
                "display_name": m.display_name,
                "password_hash": hashes[2 * n],
                "pin_hash": hashes[2 * n + 1],
                "totp_sealed": credentials.seal_totp(work.keys, m.id, m.totp),
                "totp_last_step": 0,
                "language": "zh_Hant_TW",
                "active": True,
                "created_at": work.now,
            }
        )
        places = [("network", "*")] if m.network else [("site", s) for s in m.sites]
        grants += [
            {"id": new_id(), "account": m.id, "role": role, "scope_kind": kind, "scope": scope}
            for role in m.roles
            for kind, scope in places
        ]
    work.add_many(staff.account, rows)
    work.add_many(staff.role_grant, grants)
    work.payload = {"accounts": [m.id for m in people]}


def of_site(people: Iterable[Member], site: str) -> Staff:
    def with_role(role: str) -> tuple[str, ...]:
        return tuple(m.id for m in people if role in m.roles and site in m.sites)

    people = list(people)
    return Staff(
        nurses=with_role("nurse"),
        prescriber=with_role("prescriber")[0],
        pharmacist=with_role("pharmacist")[0],
        case_manager=with_role("case_manager")[0],
    )
