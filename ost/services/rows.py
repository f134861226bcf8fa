"""The rows of a dose, built in one place: for the counter, and in bulk for the demo's history.

Plain dicts from plain data; nothing here touches a database.
"""

from __future__ import annotations

from datetime import datetime

from ost import canonical
from ost.rules.facts import DoseFacts


def decision_row(
    *,
    id: str,
    facts: DoseFacts,
    policy: str,
    verdict: str,
    reasons: list[dict],
    by: str,
    at: datetime,
    text: str | None = None,
) -> dict:
    """What was decided and everything it saw. `policy`: digest; `reasons`: plain dicts.

    `text`: the facts' canonical text, where the caller has it already.
    """
    text = text or canonical.text(facts)
    return {
        "id": id,
        "patient": facts.patient_id,
        "site": facts.site,
        "day": facts.day,
        "slot": facts.slot,
        "verdict": verdict,
        "reasons": canonical.text(reasons),
        "policy": policy,
        "facts": text,
        "facts_digest": canonical.digest_of_text(text),
        "by": by,
        "at": at,
    }


def attempt_row(
    *,
    dose_id: str,
    facts: DoseFacts,
    decision: dict,
    dose_ug: int,
    volume_ul: int,
    bottle: str,
    product: str,
    line: int,
    content_digest: str,
    identity_path: str,
    at: datetime,
    by: str,
    replaces: str | None = None,
    capture: str | None = None,
    identity_reason: str | None = None,
    intoxication: tuple[str, ...] = (),
    counter: str | None = None,
    permit: str | None = None,
) -> dict:
    """A promise, with what nobody can fill in later: medicine, phase, order, sites, policy, facts."""
    order = facts.order
    return {
        "id": dose_id,
        "patient": facts.patient_id,
        "dosing_day": facts.day,
        "slot": facts.slot,
        "replaces": replaces,
        "content_digest": content_digest,
        "home_site": facts.home_site,
        "site": facts.site,
        "permit": permit,
        "prescription": order.id,
        "medicine": order.medicine,
        "product": product,
        "phase": order.phase,
        "ordered_ug": order.dose_ug,
        "dose_ug": dose_ug,
        "volume_ul": volume_ul,
        "bottle": bottle,
        "line": line,
        "identity_path": identity_path,
        "capture": capture,
        "identity_reason": identity_reason,
        "observations": canonical.text(list(intoxication)),
        "counter": counter,
        "decision": decision["id"],
        "policy": decision["policy"],
        "facts_digest": decision["facts_digest"],
        "by": by,
        "promised_at": at,
        "entered_at": at,
    }


def outcome_row(
    *,
    attempt: str,
    patient: str,
    outcome: str,
    swallowed_ug: int | None,
    content_digest: str,
    given_at: datetime,
    entered_at: datetime,
    by: str,
    disposition: str | None = None,
    rest_ul: int = 0,
    evidence: str | None = None,
    identity_path: str | None = None,
    reason: str | None = None,
    drinker: str | None = None,
    flags: tuple[str, ...] = (),
    witness: str | None = None,
) -> dict:
    """How it ended. `flags`: formalities that were missing."""
    return {
        "attempt": attempt,
        "patient": patient,
        "outcome": outcome,
        "swallowed_ug": swallowed_ug,
        "disposition": disposition,
        "rest_ul": rest_ul,
        "content_digest": content_digest,
        "evidence": evidence,
        "identity_path": identity_path,
        "reason": reason,
        "drinker": drinker,
        "flags": canonical.text(list(flags)),
        "by": by,
        "witness": witness,
        "given_at": given_at,
        "entered_at": entered_at,
    }
