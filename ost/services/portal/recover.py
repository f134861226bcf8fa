"""A lost number, at any site: after a touch at this counter or with a photo paper, the number and nothing else.

Of a stranger no name, site, dose or face is shown. Every answer stands in the person's
list of who looked; tries with papers are counted per account, so that nobody reads from
here who is in treatment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import policies
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit
from ost.models import site as sites
from ost.models.patient import patient
from ost.models.station import identity_evidence
from ost.rules.identity import IdentityError, parse_national_id
from ost.rules.schedule import DateError, parse_date
from ost.services import sealed
from ost.services.access import require
from ost.services.throttle import Subject, count_try, take_back
from ost.services.work import Actor, House, Work, new_id

PAGE, WHY = "portal.recover", "lost_number"
#: How the question was asked at the counter: somebody was there.
_IN_PERSON = ("counter.touch", "counter.document")
_C, _L, _E = sites.counter, audit.record_access, identity_evidence


@dataclass(frozen=True, slots=True)
class Found:
    number: str


def by_touch(house: House, actor: Actor, counter_id: str) -> Found:
    """The number of who touched at this counter, or showed a paper there, in the last minutes.

    Refusal("portal_identity_old") when nobody did.
    """
    with house.read() as tx:
        counter = _counter(tx, counter_id)
    require(house, actor, "portal.help", counter.site)
    with house.work(actor, counter.site, "portal.number_told") as work:
        fresh = timedelta(minutes=policies.policy(counter.policy).int("portal_recover_minutes"))
        person = _stands_there(work.tx, _counter(work.tx, counter_id), work.now - fresh)
        row = _person(work.tx, patient.c.id == person) if person else None
        if row is None:
            raise Refusal("portal_identity_old")
        return _tell(work, row)


def by_paper(house: House, actor: Actor, site_id: str, document: str, national_id: str, birth_date: str) -> Found:
    """The number of whom a photo paper names: its kind, the identity number and the birth date on it.

    Refusal("input_invalid") names fields; "portal_nobody_found" also where the birth date is another one;
    "portal_wait" after several.
    """
    require(house, actor, "portal.help", site_id)
    with house.read() as tx:
        s = sites.site
        name = tx.execute(sa.select(s.c.policy).where(s.c.id == site_id)).scalar_one()
    policy = policies.policy(name)
    fields, number, born = {}, None, None
    if document not in policy.list("identity_documents"):
        fields["document"] = ["identity_document_needed"]
    try:
        number = parse_national_id(national_id).number
    except IdentityError as error:
        fields["national_id"] = [error.code]
    try:
        born = parse_date(birth_date)
    except DateError as error:
        fields["birth_date"] = [error.code]
    if fields:
        raise Refusal("input_invalid", fields=fields)
    subject = Subject("portal_recover", house.keys.search_mac("portal recover", actor.id))
    with house.db.begin() as tx:
        lock = timedelta(minutes=policy.int("sign_in_lock_minutes"))
        if wait := count_try(tx, [subject], house.now(), policy, lock).wait_s:
            raise Refusal("portal_wait", seconds=wait)
    mac = house.keys.search_mac("national_id", number)
    with house.work(actor, site_id, "portal.number_told") as work:
        row = _person(work.tx, patient.c.national_id_mac == mac)
        if row is not None and _born(house, work.tx, row) == born.isoformat():
            work.payload |= {"document": document}
            take_back(work.tx, subject)  # whoever knows one paper must not ask for others with it
            return _tell(work, row)
        # That somebody asked is written down, also where the answer was no.
        work.payload |= {"document": document, "found": False}
        if row is not None:
            _look(work, row.id)
    raise Refusal("portal_nobody_found")


# --- within ------------------------------------------------------------------


def _stands_there(tx: Connection, counter: sa.Row, since) -> str | None:
    """Whom a fresh touch or paper at this counter named: a stranger by the question asked, or the person called."""
    line = (json.loads(counter.notice) if counter.notice else {}).get("line")
    if line:
        asked = sa.select(_L.c.patient).where(
            _L.c.id == line, _L.c.site == counter.site, _L.c.page.in_(_IN_PERSON), _L.c.at >= since
        )
        return tx.execute(asked).scalar()
    if counter.patient is None:
        return None
    proof = sa.select(_E.c.patient).where(
        _E.c.patient == counter.patient,
        _E.c.site == counter.site,
        _E.c.path.in_(("finger", "document")),
        _E.c.at >= since,
    )
    return tx.execute(proof.limit(1)).scalar()


def _counter(tx: Connection, counter_id: str) -> sa.Row:
    query = (
        sa.select(_C.c.id, _C.c.site, _C.c.notice, _C.c.patient, sites.site.c.policy)
        .join_from(_C, sites.site, sites.site.c.id == _C.c.site)
        .where(_C.c.id == counter_id)
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        raise Refusal("counter_unknown")
    return row


def _person(tx: Connection, by) -> sa.Row | None:
    return tx.execute(sa.select(patient).where(by, patient.c.active)).one_or_none()


def _born(house: House, tx: Connection, row: sa.Row) -> str | None:
    try:
        key = sealed.person_key(tx, house.keys, row.id)
    except SealBroken:
        return None
    return sealed.unseal_text(key, row.id, "patient", "birth_date", row.birth_date_sealed)


def _tell(work: Work, row: sa.Row) -> Found:
    _look(work, row.id)
    work.patient = row.id
    return Found(row.number)


def _look(work: Work, person: str) -> None:
    work.add(
        audit.record_access,
        id=new_id(),
        patient=person,
        account=work.actor.id,
        site=work.site,
        what="read",
        page=PAGE,
        why=WHY,
        at=work.now,
    )
