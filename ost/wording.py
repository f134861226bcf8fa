"""Reasons and coded values in the reader's language, for pages and the API alike.

A reason's placeholders are written by their kind (`ost.rules.reasons`): dates
in both calendars, instants on the site's clock, codes as words.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from flask_babel import gettext

from ost.answers import say
from ost.errors import N_, catalogue
from ost.http import house
from ost.i18n import language
from ost.rules.guest_reasons import GUEST_REASONS
from ost.rules.reasons import REASONS
from ost.services.places import site_facts
from ost.web.formats import clock, two_calendars

WORDS = {
    # medicines
    "methadone": N_("methadone"),
    "buprenorphine": N_("buprenorphine"),
    "buprenorphine_naloxone": N_("buprenorphine-naloxone"),
    # phases
    "induction": N_("induction"),
    "maintenance": N_("maintenance"),
    "taper": N_("taper"),
    # signs of intoxication
    "drowsy": N_("drowsy"),
    "alcohol": N_("smells of alcohol"),
    "gait": N_("unsteady gait"),
    "other": N_("other"),
    # holds
    "missed_doses": N_("missed doses"),
    "intoxication": N_("intoxication"),
    "medical_review": N_("medical review"),
    "exposure": N_("swallowed what was not ordered"),
    "custody_or_hospital_return": N_("back from custody or hospital"),
    "other_clinical": N_("another clinical reason"),
    "identity_documents": N_("identity documents"),
    "transfer": N_("transfer"),
    "fee_unpaid": N_("unpaid fee"),
    "other_administrative": N_("another administrative reason"),
    "clinical": N_("clinical"),
    "administrative": N_("administrative"),
    # one-tap reasons
    "site_hours": N_("opening hours"),
    "work_or_family": N_("work or family"),
    "travel": N_("travel"),
    "late_dose_before": N_("came late yesterday"),
    "leaving_area": N_("leaving the area"),
    "checked_with_patient": N_("checked with the patient"),
    "checked_with_colleague": N_("checked with a colleague"),
    "checked_in_record": N_("checked in the record"),
    # identity
    "reader_fault": N_("reader out of order"),
    "finger_not_readable": N_("finger not readable"),
    "finger_injured": N_("finger injured"),
    "not_enrolled": N_("no finger enrolled"),
    "patient_prefers": N_("patient prefers it"),
    "downtime": N_("downtime"),
    "finger": N_("finger"),
    "card": N_("card"),
    "number_face": N_("number and face"),
    "document": N_("photo document"),
    "offered_after_touch": N_("face tapped after a touch"),
    "national_id_card": N_("national identity card"),
    "health_insurance_card": N_("health insurance card"),
    "driving_licence": N_("driving licence"),
    "passport": N_("passport"),
    "resident_certificate": N_("resident certificate"),
    # looking beyond the site
    "touch": N_("finger"),
    "unconscious_or_confused": N_("unconscious or confused"),
    "suspected_overdose": N_("suspected overdose"),
    "severe_withdrawal": N_("severe withdrawal"),
    "hospital_or_ambulance_asks": N_("hospital or ambulance asks"),
    "found_elsewhere": N_("may be found at other sites"),
    "guest_dosing": N_("guest dosing"),
    "fingerprints": N_("fingerprints may be kept"),
    "messages": N_("may be written to"),
    # why a guest's permit is paused
    "hold": N_("a clinical hold"),
    "missed_days": N_("missed days"),
    "countersign": N_("a prescription not signed there"),
    # how a guest was called
    "guest_pass": N_("guest pass scanned"),
    "guest_pass_digits": N_("six digits of a guest pass"),
    "dosed_today": N_("dosed today: yes or no"),
    "lost_number": N_("a lost number"),
    "duplicate_review": N_("possible duplicate"),
    "one_person_two_records": N_("one person, two records: the other one stays"),
    "other_record_dosed_today": N_("dosed today under another record of theirs"),
    "other_record_stopped": N_("another record of theirs was on hold or awaits a review"),
    "undecided": N_("undecided"),
    "same_person": N_("one person"),
    "two_persons": N_("two persons"),
    "cannot_tell": N_("cannot tell"),
    "very_alike": N_("very alike"),
    "alike": N_("alike"),
    "somewhat_alike": N_("somewhat alike"),
    "faces_and_papers": N_("faces and papers compared"),
    "papers": N_("papers compared"),
    "person_said_so": N_("the person said so"),
    "related_people": N_("relatives or twins"),
    "not_enough_seen": N_("not enough to see"),
    # voids
    "wrong_patient": N_("wrong patient"),
    "wrong_dose_entered": N_("wrong dose entered"),
    "entered_twice": N_("entered twice"),
    "not_taken": N_("found not taken"),
    "other_recorded": N_("another reason, recorded"),
    # outcomes
    "swallowed": N_("swallowed"),
    "partly": N_("partly swallowed"),
    "not_given": N_("not given"),
    "spat_out": N_("spat out"),
    "swallowed_by_other": N_("swallowed by another person"),
    "too_much": N_("more than ordered"),
    "promised": N_("prepared, outcome not known"),
    "refused": N_("refused"),
    # where a rest went
    "returned": N_("returned, not poured"),
    "spilled": N_("spilled"),
    "residue": N_("residue"),
    # what was seen later
    "vomited": N_("vomited"),
    "unsteady": N_("unsteady"),
    "kept_in_mouth": N_("kept in the mouth"),
    "left_early": N_("left early"),
    # bottles
    "sealed": N_("sealed"),
    "open": N_("open"),
    "closed": N_("closed"),
    # lanes and people
    "pregnant": N_("pregnant"),
    "work": N_("work"),
    "guest": N_("guest"),
    # roles
    "nurse": N_("nurse"),
    "prescriber": N_("prescriber"),
    "pharmacist": N_("pharmacist"),
    "case_manager": N_("case manager"),
    "registrar": N_("registrar"),
    "admin": N_("administrator"),
    "auditor": N_("auditor"),
    "duplicate_reviewer": N_("reviewer of duplicates"),
    "health_department_reader": N_("health department"),
}


def word(code: str | None) -> str:
    """A coded value as a word; a code without one (a site, a bottle) stays as it is."""
    if code is None:
        return "–"
    return gettext(WORDS[code]) if code in WORDS else code


def listed(words: Iterable[str]) -> str:
    """Words one after another, with what the reader's language puts between them."""
    return gettext(", ").join(words)


def site_name(site: str) -> str:
    """A site's name in the reader's language; an id that no site has stays as it is."""
    facts = site_facts(house(), site)
    return facts.name(language()) if facts else site


def placeholder(kind: str, value, tz: str) -> str:
    """One placeholder of a reason, written by its kind."""
    if value is None:
        return "–"
    match kind:
        case "date":
            return two_calendars(value if isinstance(value, date) else date.fromisoformat(value))
        case "instant":
            return clock(_instant(value), tz)
        case "code":
            return listed(word(code) for code in str(value).split(", "))
        case "site":
            return site_name(str(value))
        case "reason":
            return gettext(catalogue()[value].title) if value in catalogue() else str(value)
    return str(value)


def _instant(value) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value.replace("Z", "+00:00"))


def reason(found: dict, tz: str = "Asia/Taipei") -> dict:
    """A reason as kept (`code`, `tier`, `data`, ...) with its texts: what, why, what to do now."""
    kinds = REASONS.get(found["code"]) or GUEST_REASONS.get(found["code"], {})
    data = {name: placeholder(kinds.get(name, "text"), value, tz) for name, value in found["data"].items()}
    texts = say(found["code"], data)
    return {
        "code": found["code"],
        "tier": found["tier"],
        "title": texts["title"],
        "detail": texts["detail"],
        "action": texts["action"],
        "data": found["data"],
        "needs_signoff": found["needs_signoff"],
        "weak_source": found["weak_source"],
    }
