"""A closure's rosters, for each end one: who leaves, and who comes. Signed, numbered by day, and its reading recorded.

A roster is made to be carried and to serve when screens are dark, so it holds
as little as a nurse can dose safely by: number, masked name, medicine, dose in
mg or why the rules give nothing, and when the last dose was and how much; no birth date, no address, no
telephone of a patient, no picture, no reason. No mL: they depend on the bottle
that stands at the other counter, and a wrong strength would make them a wrong
dose. The paper of the closed site says where its people went, and no dose.

Signed is what it says by ids (Ed25519, the house's key): a name is nothing a
record keeps. Whoever checks a paper sees the signed rows and compares.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from devices.evaluate import Store
from ost import canonical
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit, closure, dose, patient
from ost.rules.findings import STOP
from ost.rules.names import masked
from ost.services import policy_of, sealed
from ost.services.access import may, require
from ost.services.closures import read
from ost.services.closures.read import DOSED, NOWHERE, TAKEN_BACK
from ost.services.gather import gather
from ost.services.guest.follow import MISSED
from ost.services.work import Actor, House, Work, new_id

LEAVING, COMING = KINDS = ("leaving", "coming")
READS = "patient.read"
#: How a roster's code begins, and what its signature is for.
MARK, PURPOSE = "OSTR1", "ost-closure-roster-1"
#: A last dose longer ago than this is said to be none lately.
LAST_DOSE_DAYS = 30
#: Stops that hold on another day too, until somebody has looked.
OF_THE_PERSON = ("patient_not_active", "on_hold", "exposure_uncleared", *MISSED)

_X, _P = closure.closure_roster, patient.patient
_A, _O, _RL = dose.dose_attempt, dose.dose_outcome, dose.dose_release


@dataclass(frozen=True, slots=True)
class Dose:
    """Of one slot, as ordered: `dose_ug`."""

    slot: int
    medicine: str
    dose_ug: int


@dataclass(frozen=True, slots=True)
class Row:
    """`name` is masked. `doses` and `last_*` only on the roster of who comes. `to_site` None: nowhere found."""

    day: date
    number: str
    name: str = field(repr=False)
    from_site: str
    to_site: str | None
    request_number: int | None
    doses: tuple[Dose, ...] = ()
    last_day: date | None = None
    last_ug: int | None = None
    slots: int = 0  # doses ordered that day, those already taken among them
    stops: tuple[tuple[str, int | None], ...] = ()  # (code, days) of what the rules say against it: then no dose


@dataclass(frozen=True, slots=True)
class Roster:
    id: str
    closure_number: int
    kind: str  # one of KINDS
    site: str
    made_at: datetime
    rows: tuple[Row, ...]
    digest: str
    code: str  # what its QR code says


@dataclass(frozen=True, slots=True)
class Checked:
    """A code that holds. `roster` None: the reader may not see whom it names, only that it is genuine."""

    closure_number: int
    kind: str
    site: str
    made_at: datetime
    people: int
    digest: str
    ended: bool  # the closure was taken back since
    roster: Roster | None


def make(house: House, actor: Actor, store: Store, closure_id: str, site: str, kind: str) -> Roster:
    """A fresh roster of this site's end, signed and kept. Every person on it has a line of having been read.

    Refusal: closure_unknown, not_permitted, roster_nobody.
    """
    require(house, actor, READS, site)
    board = read.board(house, actor, closure_id)
    lines = [x for x in board.lines if _wanted(x, site, kind)]
    if kind not in KINDS or not lines:
        raise Refusal("roster_nobody")
    with house.work(actor, site, "closure.roster") as work:
        content = _content(house, work.tx, board.head.number, site, kind, lines, work.now)
        text = canonical.text(content)
        made, digest = new_id(), canonical.digest_of_text(text)
        signature = store.sign_text(PURPOSE, f"{made}|{digest}")
        work.add(
            _X,
            id=made,
            closure=closure_id,
            site=site,
            kind=kind,
            content=text,
            digest=digest,
            public_key=store.public_key,
            signature=signature,
            by=actor.id,
            at=work.now,
        )
        _read_by(work, content)
        work.payload = {"closure": closure_id, "roster": made, "kind": kind, "people": len(lines)}
        return _opened(house, work.tx, made, digest, signature, content)


def check(house: House, actor: Actor, store: Store, text: str) -> Checked:
    """What a paper's code is. Refusal: roster_unreadable, roster_forged, roster_unknown."""
    made, digest, signature = _parts(text)
    if not store.verify_text(PURPOSE, f"{made}|{digest}", signature):
        raise Refusal("roster_forged")
    e = closure.closure_end
    query = sa.select(_X, e.c.closure.label("ended")).join_from(_X, e, e.c.closure == _X.c.closure, isouter=True)
    with house.read() as tx:
        row = tx.execute(query.where(_X.c.id == made)).one_or_none()
    # The record's own digest too: a row that was altered in the database is not what was signed.
    if row is None or row.digest != digest or canonical.digest_of_text(row.content) != digest:
        raise Refusal("roster_unknown")
    content = json.loads(row.content)
    roster = None
    if may(house, actor, READS, row.site):
        with house.work(actor, row.site, "closure.roster_checked") as work:
            _read_by(work, content)
            work.payload = {"roster": made, "people": len(content["rows"])}
            roster = _opened(house, work.tx, made, digest, signature, content)
    return Checked(
        content["closure"],
        row.kind,
        row.site,
        row.at,
        len({r["patient"] for r in content["rows"]}),
        digest,
        row.ended is not None,
        roster,
    )


# --- within -----------------------------------------------------------------------


def _wanted(line: read.Line, site: str, kind: str) -> bool:
    if kind == LEAVING:
        return line.from_site == site and line.state != TAKEN_BACK
    return line.to_site == site and line.from_site != site and line.state not in (TAKEN_BACK, NOWHERE, DOSED)


def _content(
    house: House, tx: Connection, number: int, site: str, kind: str, lines: list[read.Line], now: datetime
) -> dict:
    people, days = {x.patient for x in lines}, {x.day for x in lines}
    coming = kind == COMING
    ordered = read.ordered(tx, people, days) if coming else {}
    used = read.slots_used(tx, people, days) if coming else {}
    last = _last(tx, people, max(days)) if coming else {}
    known = {r.id: r for r in tx.execute(sa.select(_P).where(_P.c.id.in_(people)))} if coming else {}
    rows = []
    for x in lines:
        row = {
            "patient": x.patient,
            "day": x.day.isoformat(),
            "from": x.from_site,
            "to": x.to_site,
            "request": x.request_number,
        }
        if coming:
            every, taken = ordered.get((x.patient, x.day), []), used.get((x.patient, x.day), {})
            left = [each for each in every if each[0] not in taken]
            day, ug = last.get(x.patient, (None, None))
            row |= {
                "doses": left,
                "all": len(every),
                "stops": _against(house, tx, known[x.patient], site, x.day, [slot for slot, _, _ in left], now),
                "last_day": day.isoformat() if day else None,
                "last_ug": ug,
            }
        rows.append(row)
    return {"closure": number, "site": site, "kind": kind, "at": canonical.plain(now), "rows": rows}


def _against(house: House, tx: Connection, person: sa.Row, site: str, day: date, slots: Iterable[int], now) -> list:
    """[[code, days or None]]: why nothing is given there. What the bottle says is left to whoever holds one.

    Of a later day only what stands against any dose of theirs is known today.
    """
    found: dict[str, int | None] = {}
    for slot in slots:
        seen = gather(tx, person, site_id=site, slot=slot, bottle=None, now=now)
        _policy, verdict = policy_of.decide(house, tx, seen, now, before_check=True)
        for reason in verdict.reasons:
            of_bottle = reason.code.startswith("bottle_")
            if reason.tier == STOP and not of_bottle and (day == seen.facts.day or reason.code in OF_THE_PERSON):
                found.setdefault(reason.code, reason.data.get("days"))
    return [[code, days] for code, days in found.items()]


def _last(tx: Connection, people: set[str], until: date) -> dict[str, tuple[date, int]]:
    """{patient: (day of the last dose swallowed, how much that day)}."""
    query = (
        sa.select(_A.c.patient, _A.c.dosing_day, sa.func.sum(_O.c.swallowed_ug).label("ug"))
        .join_from(_A, _O, _O.c.attempt == _A.c.id)
        .join(_RL, _RL.c.attempt == _A.c.id, isouter=True)
        .where(
            _A.c.patient.in_(people),
            _A.c.dosing_day >= until - timedelta(days=LAST_DOSE_DAYS),
            _O.c.swallowed_ug > 0,
            _RL.c.attempt.is_(None),
        )
        .group_by(_A.c.patient, _A.c.dosing_day)
        .order_by(_A.c.dosing_day)
    )
    return {r.patient: (r.dosing_day, int(r.ug)) for r in tx.execute(query)}


def _read_by(work: Work, content: dict) -> None:
    """Whoever is named has a line of it in their record."""
    common = {"account": work.actor.id, "site": work.site, "what": "read", "page": "closure.roster", "why": "closure"}
    people = sorted({r["patient"] for r in content["rows"]})
    work.add_many(audit.record_access, [{**common, "id": new_id(), "patient": p, "at": work.now} for p in people])


def _opened(house: House, tx: Connection, made: str, digest: str, signature: str, content: dict) -> Roster:
    people = {r["patient"] for r in content["rows"]}
    known = {row.id: row for row in tx.execute(sa.select(_P).where(_P.c.id.in_(people)))}
    rows = [
        Row(
            day=date.fromisoformat(r["day"]),
            number=known[r["patient"]].number,
            name=_name(house, tx, known[r["patient"]]),
            from_site=r["from"],
            to_site=r["to"],
            request_number=r["request"],
            doses=tuple(Dose(*d) for d in r.get("doses", ())),
            last_day=date.fromisoformat(r["last_day"]) if r.get("last_day") else None,
            last_ug=r.get("last_ug"),
            slots=r.get("all", 0),
            stops=tuple((code, days) for code, days in r.get("stops", ())),
        )
        for r in content["rows"]
    ]
    return Roster(
        id=made,
        closure_number=content["closure"],
        kind=content["kind"],
        site=content["site"],
        made_at=datetime.fromisoformat(content["at"]),
        rows=tuple(sorted(rows, key=lambda r: (r.day, r.to_site or "", r.number))),
        digest=digest,
        code=_code(made, digest, signature),
    )


def _name(house: House, tx: Connection, row: sa.Row) -> str:
    try:
        key = sealed.person_key(tx, house.keys, row.id)
    except SealBroken:
        return ""
    return masked(sealed.unseal_text(key, row.id, "patient", "name", row.name_sealed) or "")


def _code(made: str, digest: str, signature: str) -> str:
    return ".".join((MARK, made, digest, base64.urlsafe_b64encode(bytes.fromhex(signature)).decode().rstrip("=")))


def _parts(text: str) -> tuple[str, str, str]:
    parts = "".join((text or "")[:400].split()).split(".")
    if len(parts) != 4 or parts[0] != MARK:
        raise Refusal("roster_unreadable")
    try:
        signature = base64.b64decode(parts[3] + "==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("roster_unreadable") from None
    # One spelling only: bits beyond the last byte would be a second one.
    if len(signature) != 64 or _code(parts[1], parts[2], signature.hex()) != ".".join(parts):
        raise Refusal("roster_unreadable")
    return parts[1], parts[2], signature.hex()
