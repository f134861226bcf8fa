"""The card before the tap, and the story of one dose after it: reading only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ost import canonical
from ost.errors import Refusal
from ost.models import dose
from ost.rules.facts import DoseFacts, Give
from ost.services import policy_of
from ost.services.access import may, require
from ost.services.gather import find_patient, gather
from ost.services.patient_read import readable
from ost.services.work import Actor, House


@dataclass(frozen=True, slots=True)
class Shown:
    """A decision as shown: what would be given now, and all reasons."""

    verdict: str
    dose_ug: int | None
    volume_ul: int | None
    ordered_ug: int | None
    reasons: tuple[dict, ...]
    policy: str
    policy_name: str
    facts: DoseFacts
    bottle: str | None
    at: datetime


def preview(
    house: House,
    actor: Actor,
    patient_id: str,
    site_id: str,
    *,
    slot: int = 1,
    bottle: str | None = None,
    intoxication: tuple[str, ...] | None = None,
    coded_reasons: dict[str, str] | None = None,
) -> Shown:
    """What `promise` would answer now, without the nurse's check; writes nothing.

    Refusal("patient_unknown") for a person no site of the actor's has to do with.
    """
    require(house, actor, "dose.read", site_id)
    readable(house, actor, patient_id, "dose.read")
    now = house.now()
    with house.read() as tx:
        person = find_patient(tx, patient_id)
        seen = gather(
            tx,
            person,
            site_id=site_id,
            slot=slot,
            bottle=bottle,
            now=now,
            intoxication=intoxication,
            coded_reasons=coded_reasons,
        )
        policy, verdict = policy_of.decide(house, tx, seen, now, before_check=True)
    return Shown(
        verdict="give" if isinstance(verdict, Give) else "refuse",
        dose_ug=verdict.dose_ug,
        volume_ul=verdict.volume_ul,
        ordered_ug=verdict.ordered_ug,
        reasons=tuple(canonical.plain(r) for r in verdict.reasons),
        policy=policy.digest,
        policy_name=policy.name,
        facts=seen.facts,
        bottle=seen.facts.bottle.id if seen.facts.bottle else None,
        at=now,
    )


def story(house: House, actor: Actor, dose_id: str) -> dict:
    """Everything recorded about one dose id: promised or refused, outcome, what came after.

    For the site that served it, and for the home site, which sees each dose as it happens.
    """
    with house.read() as tx:
        a = dose.dose_attempt
        attempt = tx.execute(sa.select(a).where(a.c.id == dose_id)).one_or_none()
        if attempt is None:
            r = dose.refusal
            refused = tx.execute(sa.select(r).where(r.c.id == dose_id)).one_or_none()
            if refused is None:
                raise Refusal("dose_unknown")
            require(house, actor, "dose.read", refused.site)
            return {
                "dose_id": dose_id,
                "state": "refused",
                "patient_id": refused.patient,
                "site": refused.site,
                "dosing_day": refused.day,
                "slot": refused.slot,
                "reasons": json.loads(refused.reasons),
                "refused_at": refused.at,
            }
        if not may(house, actor, "dose.read", attempt.home_site):
            require(house, actor, "dose.read", attempt.site)
        return _story(tx, attempt)


def _story(tx, attempt) -> dict:
    def rows(table):
        return tx.execute(sa.select(table).where(table.c.attempt == attempt.id)).all()

    outcome = next(iter(rows(dose.dose_outcome)), None)
    release = next(iter(rows(dose.dose_release)), None)
    void = next(iter(rows(dose.dose_void)), None)
    return {
        "dose_id": attempt.id,
        # No outcome yet is "promised": not known, and it blocks.
        "state": outcome.outcome if outcome else "promised",
        "patient_id": attempt.patient,
        "site": attempt.site,
        "home_site": attempt.home_site,
        "dosing_day": attempt.dosing_day,
        "slot": attempt.slot,
        "replaces": attempt.replaces,
        "prescription_id": attempt.prescription,
        "medicine": attempt.medicine,
        "phase": attempt.phase,
        "ordered_ug": attempt.ordered_ug,
        "dose_ug": attempt.dose_ug,
        "volume_ul": attempt.volume_ul,
        "bottle": attempt.bottle,
        "register_line": attempt.line,
        "promised_at": attempt.promised_at,
        "promised_by": attempt.by,
        "policy": attempt.policy,
        "outcome": None
        if outcome is None
        else {
            "outcome": outcome.outcome,
            "swallowed_ug": outcome.swallowed_ug,
            "disposition": outcome.disposition,
            "rest_ul": outcome.rest_ul,
            "given_at": outcome.given_at,
            "entered_at": outcome.entered_at,
            "by": outcome.by,
            "witness": outcome.witness,
            "reason": outcome.reason,
            "flags": json.loads(outcome.flags),
        },
        "released": None if release is None else {"why": release.why, "by": release.by, "at": release.at},
        "void": None
        if void is None
        else {"reason": void.reason, "by": void.by, "second": void.second, "not_taken": void.not_taken},
        "observations": [
            {"kind": o.kind, "minutes_after": o.minutes_after, "observed_at": o.observed_at, "by": o.by}
            for o in rows(dose.dose_observation)
        ],
    }
