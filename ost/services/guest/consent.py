"""The consent a guest request rests on: read, or given in the same step. Kind "guest_dosing".

Its scope says where: {"sites": [...]} and/or {"counties": [...]}, or {"anywhere": true}; no scope row reaches
anywhere until its last day. Decides nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical, policies
from ost.errors import Refusal
from ost.models.lookup import consent, consent_end
from ost.models.portal import consent_scope
from ost.services.work import Work, loads, new_id

KIND = "guest_dosing"
_C, _E, _S = consent, consent_end, consent_scope
_STANDING = (
    sa.select(_C.c.id, _C.c.until, _S.c.scope)
    .join_from(_C, _E, _E.c.consent == _C.c.id, isouter=True)
    .join(_S, _S.c.consent == _C.c.id, isouter=True)
    .where(_C.c.patient == sa.bindparam("patient"), _C.c.kind == KIND, _E.c.consent.is_(None))
    .order_by(_C.c.at.desc(), _C.c.id)
)


@dataclass(frozen=True, slots=True)
class NewConsent:
    """A consent given together with the request: until when, and where. Nothing named: the site asked for."""

    until: date
    sites: tuple[str, ...] = ()
    counties: tuple[str, ...] = ()
    anywhere: bool = False

    def scope(self, site: str) -> dict:
        if self.anywhere:
            return {"anywhere": True}
        named = {"sites": sorted(self.sites), "counties": sorted(self.counties)}
        return {k: v for k, v in named.items() if v} or {"sites": [site]}


def reaches(scope: dict | None, site: str, county: str) -> bool:
    """Whether a consent's scope covers this site."""
    if scope is None or scope.get("anywhere") is True:
        return True
    return site in scope.get("sites", ()) or county in scope.get("counties", ())


def standing(
    tx: Connection, patient: str, site: str, county: str, today: date, wanted: str | None = None
) -> tuple[str, date] | None:
    """(id, last day) of the consent in force that reaches the site and lasts longest; `wanted`: that one or none."""
    found = [
        (row.until or date.max, row.id)
        for row in tx.execute(_STANDING, {"patient": patient})
        if wanted in (None, row.id)
        and (row.until is None or row.until >= today)
        and reaches(loads(row.scope), site, county)
    ]
    until, consent_id = max(found, default=(None, None))
    return None if until is None else (consent_id, until)


def check_new(given: NewConsent, policy: str, today: date) -> None:
    """Refusal("input_invalid") for a last day that is past or beyond the policy's longest term."""
    most = today + timedelta(days=policies.policy(policy).int("consent_elsewhere_most_days"))
    if not today <= given.until <= most:
        raise Refusal("input_invalid", fields={"consent": ["consent_day_wrong"]})


def write(work: Work, patient: str, given: NewConsent, site: str, home_site: str) -> str:
    """The consent and its scope, under the patient's lock. Returns its id."""
    row = work.add(
        consent,
        id=new_id(),
        patient=patient,
        kind=KIND,
        until=given.until,
        site=home_site,
        by=work.actor.id,
        at=work.now,
    )
    work.add(consent_scope, consent=row["id"], scope=canonical.text(given.scope(site)))
    work.payload |= {"consent": row["id"]}
    return row["id"]
