"""All that is kept of a person, for themselves: collected at one moment, recorded, handed out as plain data.

Left out, and said so in the file: finger templates (numbers only a matcher reads), the card's
code and the PIN (kept as digests only), and a finger chosen to call for help, which must not
stand in a file somebody else may find.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical
from ost.models import dose, fee, guest, lookup, message, portal
from ost.models.patient import fingerprint, patient
from ost.services import prescription_read, sealed
from ost.services.holds import list_of as holds_of
from ost.services.messages import contacts
from ost.services.portal import access_log, pin, record, sessions
from ost.services.work import House, loads

_PERSONAL = ("name", "national_id", "birth_date", "phone")
#: Columns that are no news to the person and of no use elsewhere.
_INSIDE = {"change_no", "content_digest", "facts_digest", "policy", "code_mac", "code_sealed", "id", "patient"}
_INSIDE |= {"device", "by"}


@dataclass(frozen=True, slots=True)
class Copy:
    """`data`: the whole record as plain values; `face`: (image, media type), where there is one."""

    at: datetime
    tz: str
    number: str
    data: dict = field(repr=False)
    face: tuple[bytes, str] | None = field(repr=False)


def collect(house: House, session: sessions.PortalSession, typed_pin: str) -> Copy:
    """Everything, after the PIN; that it was taken is recorded. Refusal("portal_pin_wrong"), Refusal("portal_wait")."""
    pin.require(house, session, typed_pin)
    with house.work(session.actor(), session.home_site, "portal.downloaded", patient=session.patient) as work:
        sessions.keep_event(work, session.patient, "downloaded", session.device)
        at = work.now
    with house.read() as tx:
        row = tx.execute(sa.select(patient).where(patient.c.id == session.patient)).one()
        key = sealed.person_key(tx, house.keys, row.id)
        data = {
            "made_at": at,
            "person": _person(key, row),
            "contacts": [
                {"channel": c.channel, "address": c.address, "verified": c.verified, "since": c.at}
                for c in contacts.of_patient(house, session.actor(), row.id)
            ],
            "fingers": _fingers(tx, row.id),
            "orders": [asdict(o) for o in prescription_read.orders_of(tx, row.id, record.today(house, session))],
            "doses": [asdict(g) for g in prescription_read.doses_of(tx, row.id, None)],
            "observations": _rows(tx, dose.dose_observation, row.id, "at"),
            "refusals": _refusals(tx, row.id),
            "holds": [asdict(h) for h in holds_of(tx, row.id)],
            "consents": _consents(tx, row.id),
            "guest_requests": _requests(tx, key, row.id),
            "guest_permits": _permits(tx, row.id),
            "standing_authorisations": _rows(tx, guest.standing_authorisation, row.id, "at"),
            "charges": _rows(tx, fee.fee_charge, row.id, "at"),
            "receipts": _rows(tx, fee.fee_receipt, row.id, "at"),
            "messages": _messages(tx, row.id),
            "sign_ins": _rows(tx, portal.portal_event, row.id, "at"),
            "opened_by": [asdict(line) for line in access_log.lines(house, tx, row.id)],
        }
        face = sealed.unseal(key, row.id, "patient", "face", row.face_sealed)
    return Copy(at, session.tz, row.number, data, (face, row.face_type) if face else None)


def as_json(copy: Copy) -> bytes:
    return json.dumps(copy.data, default=_plain, ensure_ascii=False, indent=1).encode()


# --- within ------------------------------------------------------------------


def _plain(value):
    return value.isoformat() if isinstance(value, datetime | date) else canonical.plain(value)


def _person(key: bytes, row: sa.Row) -> dict:
    opened = {n: sealed.unseal_text(key, row.id, "patient", n, getattr(row, f"{n}_sealed")) for n in _PERSONAL}
    return opened | {
        "number": row.number,
        "home_site": row.home_site,
        "sex": row.sex,
        "language": row.language,
        "registered_at": row.registered_at,
        "treatment_since": row.episode_started_on,
        "priority": loads(row.priority),
        "has_card": row.card_mac is not None,
        "has_pin": row.pin_hash is not None,
    }


def _fingers(tx: Connection, person: str) -> list[dict]:
    f = fingerprint
    query = sa.select(f.c.finger, f.c.impression, f.c.algorithm, f.c.enrolled_at, f.c.withdrawn_at).where(
        f.c.patient == person
    )
    return [dict(r._mapping) for r in tx.execute(query.order_by(f.c.enrolled_at, f.c.finger, f.c.impression))]


def _refusals(tx: Connection, person: str) -> list[dict]:
    d = dose.decision
    query = sa.select(d.c.day, d.c.slot, d.c.site, d.c.reasons, d.c.at).where(
        d.c.patient == person, d.c.verdict == "refuse"
    )
    return [dict(r._mapping) | {"reasons": loads(r.reasons)} for r in tx.execute(query.order_by(d.c.at.desc()))]


def _consents(tx: Connection, person: str) -> list[dict]:
    c, e, s = lookup.consent, lookup.consent_end, portal.consent_scope
    query = (
        sa.select(c.c.kind, c.c.until, c.c.site, c.c.at, e.c.at.label("ended_at"), s.c.scope)
        .join_from(c, e, e.c.consent == c.c.id, isouter=True)
        .join(s, s.c.consent == c.c.id, isouter=True)
        .where(c.c.patient == person)
        .order_by(c.c.at.desc())
    )
    return [dict(r._mapping) | {"scope": loads(r.scope)} for r in tx.execute(query)]


def _requests(tx: Connection, key: bytes, person: str) -> list[dict]:
    r, s, n = guest.guest_request, guest.guest_step, guest.guest_note
    steps: dict[str, list] = {}
    query = (
        sa.select(s, n.c.text_sealed)
        .join_from(s, r, r.c.id == s.c.request)
        .join(n, sa.and_(n.c.request == s.c.request, n.c.step == s.c.number), isouter=True)
        .where(r.c.patient == person)
        .order_by(s.c.request, s.c.number)
    )
    for row in tx.execute(query):
        said = sealed.unseal_text(key, person, "guest_note", "text", row.text_sealed)
        steps.setdefault(row.request, []).append(
            {"at": row.at, "action": row.action, "to_state": row.to_state, "by": row.by_role, "reason": row.reason}
            | ({"said": said} if said else {})
        )
    rows = tx.execute(sa.select(r).where(r.c.patient == person).order_by(r.c.at.desc()))
    keep = ("number", "home_site", "site", "kind", "reason", "at")
    return [{k: getattr(x, k) for k in keep} | {"days": loads(x.days), "steps": steps.get(x.id, [])} for x in rows]


def _permits(tx: Connection, person: str) -> list[dict]:
    p, d, e = guest.guest_permit, guest.permit_day, guest.permit_day_end
    query = (
        sa.select(p.c.id, p.c.home_site, p.c.site, p.c.at, d.c.day, e.c.why)
        .join_from(p, d, d.c.permit == p.c.id)
        .join(e, sa.and_(e.c.permit == d.c.permit, e.c.day == d.c.day), isouter=True)
        .where(p.c.patient == person)
        .order_by(p.c.at.desc(), p.c.id, d.c.day)
    )
    found: dict[str, dict] = {}
    for row in tx.execute(query):
        one = found.setdefault(row.id, {"home_site": row.home_site, "site": row.site, "at": row.at, "days": []})
        one["days"].append({"day": row.day, "given_up": row.why})
    return list(found.values())


def _messages(tx: Connection, person: str) -> list[dict]:
    m = message.message
    query = sa.select(m.c.kind, m.c.channel, m.c.state, m.c.created_at, m.c.done_at).where(m.c.patient == person)
    return [dict(r._mapping) for r in tx.execute(query.order_by(m.c.created_at.desc()))]


def _rows(tx: Connection, table: sa.Table, person: str, order: str) -> list[dict]:
    """Rows of a table as they are, without ids and digests."""
    columns = [c for c in table.c if c.name not in _INSIDE]
    query = sa.select(*columns).where(table.c.patient == person).order_by(table.c[order].desc())
    return [_opened(columns, row) for row in tx.execute(query)]


def _opened(columns: Iterable[sa.Column], row: sa.Row) -> dict:
    """JSON columns as what they hold."""
    values = row._mapping
    return {c.name: loads(values[c.name]) if isinstance(c.type, sa.Text) else values[c.name] for c in columns}
