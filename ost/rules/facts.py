"""What a decision looks at, read once and frozen.

The services fill these in under the patient's lock; the rules only read them.
Amounts are integers: `_ug` micrograms of active substance, `_ul` microlitres
(or, for tablets, thousandths of a tablet: one tablet is 1000 "ul" so that one
register arithmetic serves every product). Days are dosing days: the calendar
day the dose is *for*, in the home site's zone. Instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType

MAINTENANCE, INDUCTION, TAPER = "maintenance", "induction", "taper"
PHASES = (INDUCTION, MAINTENANCE, TAPER)

#: How an attempt may end. None (no outcome yet) means: not known.
SWALLOWED, PARTLY, NOT_GIVEN, SPAT_OUT, BY_OTHER, TOO_MUCH = OUTCOMES = (
    "swallowed",
    "partly",
    "not_given",
    "spat_out",
    "swallowed_by_other",
    "too_much",
)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The prescription in force for this slot, or the one that nearly is."""

    id: str
    medicine: str  # "methadone", "buprenorphine", ...
    phase: str  # one of PHASES
    dose_ug: int
    slot: int  # 1 for most people; split doses use 1..3
    starts_on: date
    ends_on: date | None  # last day it covers; None = open
    stopped_at: datetime | None
    sites: tuple[str, ...]  # where it may be dispensed: home site first
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)  # ISO weekdays it is due on
    shortest_gap_h: int | None = None  # the order's own gap, for split and alternate-day orders
    episode_started_on: date | None = None  # first day of this treatment episode
    previous_dose_ug: int | None = None  # the order this one replaced, None for a first order
    last_increase_on: date | None = None  # the day the dose last went up, this order's own increase included
    week_ago_dose_ug: int | None = None  # ordered 7 days before starts_on, for the weekly step ceiling
    increase_before_on: date | None = None  # the increase before this order's own, for the days between two
    previous_days: tuple[int, ...] | None = None  # weekdays of the order before; None = not known


@dataclass(frozen=True, slots=True)
class PastDose:
    """One attempt of the past weeks, home or guest, released ones left out."""

    id: str
    day: date  # dosing day
    slot: int
    site: str
    medicine: str
    ordered_ug: int
    promised_ug: int
    promised_at: datetime
    outcome: str | None  # one of OUTCOMES, None = not known
    swallowed_ug: int | None  # None with an unknown outcome
    given_at: datetime | None
    vomited_minutes: int | None = None  # after the swallow; None = did not vomit, 0 = vomited, time not known
    day_ordered_ug: int | None = None  # all slots of that day together; None = this one was all


@dataclass(frozen=True, slots=True)
class SlotState:
    """The slot this decision is about, network-wide."""

    attempt_id: str | None  # an unreleased attempt that holds the slot
    site: str | None = None
    promised_at: datetime | None = None
    outcome: str | None = None
    replacement_ordered: bool = False  # a release says a prescriber ordered a replacement
    replacement_ug: int | None = None  # how much, at most; None = the order's dose


@dataclass(frozen=True, slots=True)
class HoldFacts:
    id: str
    kind: str  # "clinical" | "administrative"
    reason_code: str
    since: date
    come_back_on: date | None
    call: str | None  # whom to call, as shown to the patient
    blocks: bool = True  # an unpaid fee never holds a dose: such a hold does not block
    site: str | None = None  # where it was placed; None = not known


@dataclass(frozen=True, slots=True)
class BottleFacts:
    id: str
    site: str
    product: str
    medicine: str
    unit: str  # "ul" | "tablet"
    strength_ug_per_ml: int  # for tablets: ug per tablet
    state: str  # "sealed" | "open" | "closed"
    balance_ul: int
    expires_on: date
    lot: str = ""
    halves: bool = False  # tablets of this product may be halved


@dataclass(frozen=True, slots=True)
class SignOff:
    """A prescriber's recorded answer to one reason, for one patient and day."""

    id: str
    code: str  # the reason it answers
    day: date
    dose_ug: int | None  # the dose the prescriber orders for that day, None = as the rule proposes
    by_role: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What the nurse saw before pouring. `intoxication` is None until asked."""

    intoxication: tuple[str, ...] | None  # () = none seen; else "drowsy", "alcohol", "gait", "other"


@dataclass(frozen=True, slots=True)
class Exposure:
    """This person swallowed something not meant for them (or more than ordered)."""

    attempt_id: str
    day: date
    at: datetime
    amount_ug: int | None
    cleared: bool  # a prescriber has reviewed it


@dataclass(frozen=True, slots=True)
class GuestFacts:
    """The permit that names this dosing day, at whichever site; else the newest one for the serving site, so that
    a reason can name it. What is asked of the serving site only (`paused_for`, `countersigned`) is read there only."""

    permit: str
    request: str
    site: str  # the guest site
    home_site: str
    state: str  # one of ost.rules.guest.STATES
    first_day: date
    last_day: date
    number: int | None  # this day is the number-th of the permit; None = not one of its days, or given back
    days: int  # how many days it was written for
    emergency: bool = False  # under a closure
    consent: bool = True  # what it rests on stands today; an emergency permit may rest on none
    listed: bool = True  # the guest site takes guests
    covers_order: bool = True  # the order in force is one it names, or came of one by changes
    site_asks_countersign: bool = False  # the site's own choice, stricter than its pack
    countersigned: bool = False  # the order in force, by a prescriber of the guest site
    paused_for: str | None = None  # code


@dataclass(frozen=True, slots=True)
class DoseFacts:
    """Everything one decision sees. Stored with the decision, by digest."""

    patient_id: str
    patient_active: bool
    home_site: str
    site: str  # where the dose would be given
    site_active: bool
    site_medicines: tuple[str, ...]  # what the site is designated for
    day: date  # dosing day, home site's zone
    slot: int
    order: OrderFacts | None
    slot_state: SlotState
    past: tuple[PastDose, ...]  # newest first, at least back to the episode's gap limit
    last_swallow_on: date | None  # newest dosing day with a confirmed swallow, however old
    holds: tuple[HoldFacts, ...]
    bottle: BottleFacts | None
    observed: Observed
    signoffs: tuple[SignOff, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    other_open_strengths: tuple[int, ...] = ()  # strengths of other open bottles of this medicine here
    low_tolerance: bool = False  # flagged by a prescriber: older, ill, sedatives
    coded_reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # reason code -> chosen code
    guest: GuestFacts | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not, or what to know. `data` holds placeholders for the message, plain scalars only."""

    code: str
    tier: str  # "stop" | "reason" | "note"
    data: Mapping[str, str | int | None] = field(default_factory=lambda: MappingProxyType({}))
    needs_signoff: bool = False  # a stop that a prescriber's sign-off can lift
    weak_source: bool = False  # the value that acted is weak or open: "needs local approval"


@dataclass(frozen=True, slots=True)
class Give:
    dose_ug: int
    volume_ul: int
    ordered_ug: int
    reasons: tuple[Reason, ...]  # tier "reason" (answered) and "note"
    verdict: str = "give"


@dataclass(frozen=True, slots=True)
class Refuse:
    reasons: tuple[Reason, ...]  # all of them at once
    dose_ug: int | None = None  # what would be given were it not refused, for the card
    volume_ul: int | None = None
    ordered_ug: int | None = None
    verdict: str = "refuse"


Decision = Give | Refuse
