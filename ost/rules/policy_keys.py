"""Every policy key the program reads, once: its type, its unit, what it means.

A pack may hold no other key, and a resolved pack holds them all. `stricter`
says which way is the safer one, so that a pack that loosens a law is caught.
`dated` keys are clinical or legal and are read for a dosing day; the others
are settings of the program and have one value at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

INT, BOOL, LIST, STEPS = TYPES = ("int", "bool", "list", "steps")


@dataclass(frozen=True, slots=True)
class Key:
    type: str  # one of TYPES
    unit: str
    meaning: str
    stricter: str | None = None  # "lower" | "higher" | "true" | "false" | "fewer" | None = neither
    dated: bool = True


def N_(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


def _ug(meaning: str) -> Key:
    return Key(INT, "ug", meaning, "lower")


def _list(meaning: str, stricter: str | None = None, dated: bool = True) -> Key:
    return Key(LIST, "codes", meaning, stricter, dated)


def _setting(unit: str, meaning: str, stricter: str | None = "lower") -> Key:
    return Key(INT, unit, meaning, stricter, dated=False)


KEYS = MappingProxyType(
    {
        # -- medicines
        "medicines_with_rules": _list(
            N_("medicines this pack has dosing rules for; others are refused"), "fewer"
        ),
        "site_medicine_designation": Key(
            BOOL, "yes/no", N_("a site gives only the medicines it is designated for"), "true"
        ),
        # -- first dose and first day
        "methadone_first_dose_usual_ug": _ug(N_("first dose above this needs a sign-off")),
        "methadone_first_dose_low_tolerance_ug": _ug(
            N_("the same where a prescriber flagged low tolerance (older, ill, sedatives)")
        ),
        "methadone_first_dose_max_ug": _ug(N_("a first dose is never above this")),
        "methadone_first_day_max_ug": _ug(N_("all slots of the first day together are never above this")),
        "buprenorphine_first_day_max_ug": _ug(N_("all slots of the first day together are never above this")),
        "methadone_first_dose_watch_minutes": Key(
            INT, "minutes", N_("watch the person after a first dose"), "higher"
        ),
        # -- increases
        "methadone_step_max_ug": _ug(N_("one increase above this needs a sign-off")),
        "methadone_step_min_days": Key(
            INT, "days", N_("an increase earlier than this needs a sign-off"), "higher"
        ),
        "methadone_week_increase_max_ug": _ug(N_("more than this within 7 days needs a sign-off")),
        # -- high doses
        "methadone_second_look_above_ug": _ug(N_("a dose above this asks for a second look")),
        "buprenorphine_second_look_above_ug": _ug(N_("a dose above this asks for a second look")),
        "methadone_day_max_ug": Key(INT, "ug", N_("the ceiling of a day, all slots; 0 = the pack has none")),
        "buprenorphine_day_max_ug": Key(
            INT, "ug", N_("the ceiling of a day, all slots; 0 = the pack has none")
        ),
        # -- the tolerance clock
        "tolerance_swallow_percent": Key(
            INT,
            "percent",
            N_("a day counts as dosed when this share of the ordered dose was swallowed"),
            "higher",
        ),
        "vomit_minutes": Key(
            INT,
            "minutes",
            N_("vomited within this time: not swallowed, for the size of the next dose"),
            "higher",
        ),
        "vomited_automatic_replacement": Key(
            BOOL, "yes/no", N_("a vomited dose is replaced without a prescriber"), "false"
        ),
        "methadone_missed_day_steps": Key(
            STEPS, "table", N_("what to do after so many missed days in a row")
        ),
        "buprenorphine_missed_day_steps": Key(
            STEPS, "table", N_("what to do after so many missed days in a row")
        ),
        "missed_days_early": Key(
            INT, "days", N_("missed days that need the prescriber in induction or after an increase"), "lower"
        ),
        "recent_increase_days": Key(INT, "days", N_("how long an increase counts as recent"), "higher"),
        "episode_gap_days": Key(
            INT, "days", N_("missed days after which treatment is deemed ended"), "lower"
        ),
        # -- the time of the next dose
        "gap_reason_under_hours": Key(
            INT, "hours", N_("less since the last possible swallow needs a reason"), "higher"
        ),
        "gap_signoff_under_hours": Key(
            INT, "hours", N_("less since the last possible swallow needs a sign-off"), "higher"
        ),
        "order_gap": Key(
            BOOL,
            "yes/no",
            N_("less than the order's own gap is held back; the order's gap replaces the two above"),
            "true",
        ),
        "unresolved_earlier_dose": Key(
            BOOL,
            "yes/no",
            N_("an earlier dose without outcome is shown and weighed the stricter way"),
            "true",
        ),
        # -- the person
        "intoxication_check": Key(BOOL, "yes/no", N_("asked before every dose"), "true"),
        "intoxication_signs": _list(N_("coded signs a nurse can record")),
        "hold_reasons_clinical": _list(N_("coded reasons of a clinical hold")),
        "hold_reasons_administrative": _list(N_("coded reasons of an administrative hold")),
        "hold_reasons_never_blocking": _list(
            N_("hold reasons that never hold a dose, whatever the hold says")
        ),
        # -- one-tap reasons
        "reasons_for_gap_short": _list(N_("coded answers to a short gap")),
        "reasons_general": _list(N_("coded answers to any other reason a pack asks for")),
        "reasons_for_identity_fallback": _list(N_("why a person was not identified by touch"), dated=False),
        "reasons_for_void": _list(N_("why a recorded dose is void"), dated=False),
        # -- identity, signature, witnesses
        "identity_paths": _list(N_("how a person may be called to the counter"), dated=False),
        "card_pin_required": Key(
            BOOL, "yes/no", N_("a card that calls a person needs their PIN"), "true", dated=False
        ),
        "number_face_second_required": Key(
            BOOL, "yes/no", N_("number and face are confirmed by a second member of staff"), "true", dated=False
        ),
        "identity_documents": _list(N_("papers with a photograph that show who one is"), "fewer", dated=False),
        "handover_identity_paths": _list(N_("how a person may be confirmed at hand-over"), dated=False),
        "handover_identity_required": Key(
            BOOL, "yes/no", N_("identity again at hand-over"), "true", dated=False
        ),
        "handover_identity_valid_s": _setting(
            "s", N_("how long a confirmed identity at hand-over is good for")
        ),
        "signature_required": Key(BOOL, "yes/no", N_("the patient signs for each dose"), "true"),
        "outcome_witness_after_minutes": _setting("minutes", N_("a later outcome needs a witness")),
        "witness_token_valid_s": _setting("s", N_("how long a witness's one-use token is good for")),
        "undo_s": _setting("s", N_("how long a prepared dose can be undone with one tap")),
        "residue_witness_local_only": Key(
            BOOL, "yes/no", N_("both persons who destroy residue stand in the same room"), "true"
        ),
        # -- records
        "count_difference_alert_ul": Key(
            INT, "ul", N_("a counted bottle differing by more than this is a loss"), "lower"
        ),
        "controlled_register_years": Key(
            INT, "years", N_("how long the controlled-drug register is kept"), "higher"
        ),
        "medical_record_years": Key(
            INT, "years", N_("how long medical records and access logs are kept"), "higher"
        ),
        # -- looking beyond the site
        "emergency_access_minutes": _setting("minutes", N_("how long an emergency look at a stranger lasts")),
        "emergency_access_fresh_minutes": _setting(
            "minutes", N_("an emergency look must follow the touch, card or number within this time")
        ),
        "emergency_access_often": _setting(
            "looks", N_("more emergency looks of one account in a day are marked for the home site")
        ),
        "emergency_access_reasons": _list(N_("why a stranger's record could not wait"), dated=False),
        "consent_elsewhere_most_days": _setting(
            "days", N_("a consent to be found at other sites ends at the latest after this time")
        ),
        "duplicate_reasons": _list(N_("what a decision about a possible duplicate rests on"), dated=False),
        # -- guest dosing
        "guest_countersign_required": Key(
            BOOL, "yes/no", N_("a guest site's prescriber signs the home order before the first dose there"), "true"
        ),
        # -- closures
        "closure_emergency_permits": Key(
            BOOL,
            "yes/no",
            N_("people of a closed site are dosed elsewhere without having asked and without a countersignature"),
            "false",
        ),
        "closure_extra_places_percent": Key(
            INT, "percent", N_("so many guests more than published a site takes while another is closed"), "lower"
        ),
        "closure_reach_km": Key(INT, "km", N_("nobody is sent further than this, straight line"), dated=False),
        "closure_time_left_minutes": _setting(
            "minutes", N_("people are sent to a site only while it doses for at least so long"), "higher"
        ),
        "closure_reasons": _list(N_("why a site cannot dose"), dated=False),
        "guest_longest_stay_days": Key(
            INT, "days", N_("a stay longer than this is for the prescriber, and a transfer is proposed"), "lower"
        ),
        "guest_stable_days": Key(
            INT, "days", N_("a dose changed within this time asks for the prescriber, also where authorised"), "higher"
        ),
        "guest_notice_hours": _setting("hours", N_("notice aimed at; a shorter one is shown and never refused"), None),
        "guest_ahead_days": _setting("days", N_("how far ahead days can be asked for")),
        "guest_take_over_minutes": _setting(
            "minutes", N_("after so long without an answer a prescriber of the guest site may order"), "higher"
        ),
        "guest_countersign_most_days": _setting("days", N_("a signature given beforehand serves at most so long")),
        "guest_standing_most_days": _setting("days", N_("a standing authorisation ends at the latest after this time")),
        "guest_ask_reasons": _list(N_("why a place elsewhere is asked for; never needed"), dated=False),
        "guest_decline_reasons": _list(N_("why a request is not approved"), dated=False),
        "guest_refuse_reasons": _list(N_("why a guest site cannot take somebody"), dated=False),
        "guest_cancel_reasons": _list(N_("why a request or a day is given up or taken back"), dated=False),
        # -- the patients' own door
        "portal_idle_minutes": _setting("minutes", N_("a patient's page left alone is signed out")),
        "portal_session_hours": _setting("hours", N_("a patient's sign-in ends at the latest after this time")),
        "portal_code_minutes": _setting("minutes", N_("how long a code by message is good for")),
        "portal_code_tries": _setting("tries", N_("wrong codes until a new sign-in is needed")),
        "portal_code_day_tries": _setting("tries", N_("wrong codes of one person in a day")),
        "portal_code_wait_s": _setting("s", N_("a new code is sent at the earliest after this time"), "higher"),
        "portal_codes_a_day": _setting("codes", N_("codes by message to one person in a day")),
        "portal_number_day_tries": _setting(
            "tries", N_("wrong sign-ins with one number in a day, from browsers not known")
        ),
        "portal_all_hour_tries": _setting(
            "tries", N_("wrong sign-ins with any number in an hour, from browsers not known")
        ),
        "portal_pin_digits": _setting("digits", N_("digits of a PIN that also opens the person's own pages"), "higher"),
        "portal_recover_minutes": _setting(
            "minutes", N_("a lost number is found again within this time of the touch or paper that named the person")
        ),
        "portal_names_staff": Key(
            BOOL, "yes/no", N_("patients see the name of who opened their record, not only role and site"), dated=False
        ),
        # -- fees
        "subsidy_minor_under_years": Key(
            INT, "years", N_("whoever is younger than this on the day counts as a minor for the subsidy")
        ),
        # -- telling people
        "message_tries": _setting(
            "tries", N_("how often one way to reach a person is tried before it is given up"), None
        ),
        "message_backoff_s": _setting(
            "s", N_("the first wait before a message is tried again, doubled each time"), None
        ),
        "message_lease_s": _setting(
            "s", N_("a message whose sending ended in silence for this long is not known to have arrived"), None
        ),
        # -- devices, sessions, sign-in
        "capture_challenge_s": _setting("s", N_("how long a capture challenge is good for")),
        "capture_repeat_s": _setting("s", N_("how long the identical post gets the same answer")),
        "enrol_min_fingers": _setting("fingers", N_("fingers enrolled at least"), "higher"),
        "enrol_impressions": _setting("impressions", N_("impressions of each finger"), "higher"),
        "idle_lock_s": _setting("s", N_("a screen without activity locks")),
        "pin_tries": _setting("tries", N_("wrong PINs until a full sign-in is needed")),
        "sign_in_free_tries": _setting("tries", N_("wrong tries before they slow down")),
        "sign_in_delay_s": _setting(
            "s", N_("the first delay, doubled with every further wrong try"), "higher"
        ),
        "sign_in_lock_after": _setting("tries", N_("wrong tries until the lock")),
        "sign_in_lock_minutes": _setting("minutes", N_("how long the lock lasts elsewhere"), "higher"),
        "sign_in_lock_minutes_station": _setting(
            "minutes", N_("how long it lasts at an enrolled station"), "higher"
        ),
        "sign_in_forget_minutes": _setting(
            "minutes", N_("wrong tries older than this no longer count"), "higher"
        ),
    }
)

#: What a row of a missed-days table may ask for.
NO_CHANGE, NOTE, HALF, HALF_CAPPED, PRESCRIBER, NEW_INDUCTION = ACTS = (
    "no_change",
    "note",  # the ordered dose, if not intoxicated
    "half",  # half the ordered dose, after discussion with the prescriber
    "half_capped",  # half or `cap_ug`, whichever is lower; see the prescriber
    "prescriber",  # the prescriber decides, the table proposes no reduction
    "new_induction",  # a new induction order
)
