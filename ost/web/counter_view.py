"""What the counter page shows: frozen plain data, no database, no Flask.

`ost.web.counter` builds a `CounterView` from what the services answer;
`templates/counter/` draws it; `tests/web/preview_counter.py` builds one of each
screen by hand. Amounts are integers (`_ug`, `_ul`), instants aware UTC, days
dosing days. Texts that come from the error catalogue arrive translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

# The screens of the person zone. One at a time; the primary button keeps its place in all of them.
IDLE = "idle"  # waiting for a touch, a scan or a number
PIN = "pin"  # a card was read: its PIN is asked for
ELSEWHERE = "elsewhere"  # a stranger: one bit, more only by consent or emergency
CHOOSE = "choose"  # the touch fits several people: a tap on the right face
CARD = "card"  # a person, a dose: check, then prepare
STOPPED = "stopped"  # a person, and why not
POURED = "poured"  # promised; identity again before it is handed over
MISMATCH = "mismatch"  # somebody else touched while a dose was waiting
HANDED = "handed"  # identity confirmed; waiting for the swallow
EMERGENCY = "emergency"  # somebody swallowed what was not meant for them
OPEN_DOSES = "open_doses"  # doses whose outcome is not known
SWEEP = "sweep"  # end of session
SCREENS = (IDLE, PIN, ELSEWHERE, CHOOSE, CARD, STOPPED, POURED, MISMATCH, HANDED, EMERGENCY, OPEN_DOSES, SWEEP)

STOP, REASON, NOTE = "stop", "reason", "note"


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a coded list."""

    code: str
    label: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One reason of a decision: what, why, what now."""

    code: str
    tier: str  # STOP | REASON | NOTE
    title: str
    detail: str = ""
    action: str = ""
    come_back_on: date | None = None
    call: str = ""  # whom to call, with the number
    choices: tuple[Choice, ...] = ()  # tier REASON: one of these answers it
    needs_local_approval: bool = False  # the value that acted is weak or open


@dataclass(frozen=True, slots=True)
class QueueRow:
    patient_id: str
    number: str
    state: str  # "here" | "expected" | "done" | "away" | "missed" | "held" | "not_known"
    arrived_at: datetime | None = None
    at: datetime | None = None  # when it was done or held
    dose_ug: int | None = None
    marks: tuple[str, ...] = ()  # "priority" "guest" "pregnant" "work" "lookalike" "urgent"
    current: bool = False
    place: str = ""  # another site: today's dose was given there, or is to be


@dataclass(frozen=True, slots=True)
class QueueGroup:
    state: str
    total: int
    rows: tuple[QueueRow, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class QueueView:
    version: str
    total: int
    groups: tuple[QueueGroup, ...]
    seconds_median: int | None = None  # touch to outcome, today at this counter
    seconds_p95: int | None = None
    open_doses: int = 0  # not known, at this site


@dataclass(frozen=True, slots=True)
class ReaderView:
    state: str  # "ready" | "busy" | "partly" (some are ready) | "offline" | "silent" | "none"
    name: str = ""
    detail: str = ""  # what to do
    simulated: bool = False
    word: str = ""  # for the bar; "" = the state's usual word
    calls: bool = True  # False: its touches are for enrolling or evaluating now, and bring nobody here
    version: str = ""  # no dot in it: part of the page's token


@dataclass(frozen=True, slots=True)
class PersonCard:
    patient_id: str
    number: str
    name: str  # in full; the page shows it masked until asked
    sex: str  # "male" | "female" | ""
    born: date | None
    face_url: str | None
    home_site: str
    guest_day: tuple[int, int] | None = None  # (2, 5): day 2 of a permit of 5; None = this is home
    last_dose_ug: int | None = None
    last_dose_at: datetime | None = None
    last_dose_site: str = ""  # only when it was elsewhere
    change_ug: int | None = None  # against the last dose
    missed_days: int = 0
    marks: tuple[str, ...] = ()
    lookalike: str = ""  # the other number in today's queue with a similar name
    identified_by: str = ""  # "finger" | "card" | "number" ...


@dataclass(frozen=True, slots=True)
class BottleView:
    id: str
    lot: str
    strength_ug_per_ml: int
    unit: str = "ul"
    expires_on: date | None = None
    left_ul: int | None = None
    scan_needed: bool = False  # after an unlock, or with two strengths open: scan before preparing


@dataclass(frozen=True, slots=True)
class DoseView:
    dose_id: str
    medicine: str  # translated name
    dose_ug: int | None
    volume_ul: int | None
    unit: str = "ul"
    ordered_ug: int | None = None
    phase: str = ""
    slot: int = 1
    slots: int = 1
    bottle: BottleView | None = None
    policy: str = ""


@dataclass(frozen=True, slots=True)
class CheckView:
    """The intoxication check."""

    asked: bool = True
    signs: tuple[Choice, ...] = ()
    none_seen: bool = False


@dataclass(frozen=True, slots=True)
class IdentityPath:
    """A way to show who this is. `reasons`: a coded reason is asked first."""

    code: str  # "finger" | "card" | "face"
    reasons: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class HandOver:
    promised_at: datetime
    undo_until: datetime | None = None
    paths: tuple[IdentityPath, ...] = ()
    confirmed_by: str = ""  # path, "" = not yet
    good_until: datetime | None = None
    expired: bool = False  # was confirmed, ran out
    try_again: str = ""  # the last touch could not be read: what to do
    signature_required: bool = False
    signed: bool = False
    witness_after: datetime | None = None  # from then on an outcome needs a witness
    witness_needed: bool = False


@dataclass(frozen=True, slots=True)
class OtherFace:
    """Who touched instead. `number` is empty for a stranger: nothing is shown of them."""

    number: str = ""
    face_url: str | None = None
    known_here: bool = False


@dataclass(frozen=True, slots=True)
class OfferedFace:
    patient_id: str
    number: str
    face_url: str | None


@dataclass(frozen=True, slots=True)
class OpenDose:
    dose_id: str
    number: str
    medicine: str
    dose_ug: int
    volume_ul: int
    unit: str
    day: date
    promised_at: datetime
    by: str
    counter: str = ""


@dataclass(frozen=True, slots=True)
class SweepView:
    """End of session: what is open, what the bottle says."""

    open_doses: tuple[OpenDose, ...] = ()
    given: int = 0
    held: int = 0
    bottle: BottleView | None = None
    waiting: int = 0  # people still here


@dataclass(frozen=True, slots=True)
class EmergencyView:
    kind: str  # "other_persons_dose" | "more_than_ordered"
    number: str  # who drank it, "" = not known
    amount_ug: int | None
    at: datetime
    prescriber: str = ""
    prescriber_phone: str = ""
    ambulance: str = "119"
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Toast:
    kind: str  # "done" | "note" | "stop"
    text: str
    detail: str = ""
    dose_id: str = ""  # offers "something to correct" for this dose


@dataclass(frozen=True, slots=True)
class DemoFinger:
    """One button of the simulated reader."""

    code: str  # a patient id, or "wet" | "wrong" | "stranger" | "unplug" | "plug"
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A way of calling a person. `typed`: it begins with a number in the field."""

    code: str  # "finger" | "card" | "number_face" | "document"
    typed: bool = False
    asks: str = ""  # what stands beside it: "pin", "second"


@dataclass(frozen=True, slots=True)
class StrangerView:
    """Somebody not expected here. `line` names what stands at the counter, not the person."""

    line: str
    dosed_today: bool
    may_ask: bool = False
    way: str = ""  # "" = nothing more is shown | "consent" | "emergency"
    number: str = ""
    name: str = ""
    sex: str = ""
    born: date | None = None
    face_url: str | None = None
    home_site: str = ""
    home_phone: str = ""
    last_on: date | None = None
    last_ug: int | None = None
    medicine: str = ""
    ordered_ug: int | None = None
    holds: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EmergencyForm:
    """Why a stranger's record cannot wait."""

    line: str
    reasons: tuple[Choice, ...]
    minutes: int
    errors: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PersonView:
    """The right-hand zone."""

    version: str
    screen: str = IDLE
    card: PersonCard | None = None
    dose: DoseView | None = None
    check: CheckView | None = None
    reasons: tuple[ReasonView, ...] = ()
    hand_over: HandOver | None = None
    other: OtherFace | None = None
    emergency: EmergencyView | None = None
    open_doses: tuple[OpenDose, ...] = ()
    sweep: SweepView | None = None
    notice: ReasonView | None = None  # the last touch, scan or step did not go through: what to do
    stranger: StrangerView | None = None  # ELSEWHERE
    offered: tuple[OfferedFace, ...] = ()  # CHOOSE
    ways: tuple[Way, ...] = ()  # IDLE: how a person can be called here, each as good as the others
    pin_again: bool = False  # PIN: the one before did not fit
    toast: Toast | None = None
    given_dose_id: str = ""  # stopped because already dosed: today's dose, for an observation or a void
    may_hold: bool = True
    take_back: str = ""  # stopped at home by a guest day alone: the request whose day can be taken back

    @property
    def stops(self) -> tuple[ReasonView, ...]:
        return tuple(r for r in self.reasons if r.tier == STOP)

    @property
    def questions(self) -> tuple[ReasonView, ...]:
        return tuple(r for r in self.reasons if r.tier == REASON)

    @property
    def notes(self) -> tuple[ReasonView, ...]:
        return tuple(r for r in self.reasons if r.tier == NOTE)

    @property
    def step(self) -> int:
        """1 check, 2 pour, 3 identity, 4 swallow; 0 = no dose in hand."""
        return {CARD: 1, STOPPED: 1, POURED: 3, MISMATCH: 3, HANDED: 4}.get(self.screen, 0)


@dataclass(frozen=True, slots=True)
class CounterView:
    counter_id: str
    counter_label: str
    site_name: str
    today: date
    now: datetime
    tz: str
    nurse: str
    queue: QueueView
    reader: ReaderView
    person: PersonView
    demo_fingers: tuple[DemoFinger, ...] = field(default=())


# Forms that open in a dialog over the page. `values` is what was typed, `errors` {field: text}.


@dataclass(frozen=True, slots=True)
class OutcomeForm:
    """How a dose ended otherwise, or (`resolve`) what happened to one that was left open."""

    kind: str  # an outcome; "" with `resolve`: still to be chosen
    dose_id: str
    number: str
    medicine: str
    dose_ug: int
    volume_ul: int
    unit: str = "ul"
    resolve: bool = False
    witness_needed: bool = False
    kinds: tuple[Choice, ...] = ()
    dispositions: tuple[Choice, ...] = ()
    reasons: tuple[Choice, ...] = ()
    promised_at: datetime | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, object] = field(default_factory=dict)
    refused: ReasonView | None = None


@dataclass(frozen=True, slots=True)
class IdentityForm:
    """A number was typed or a row tapped: which way, and what that way asks for."""

    number: str
    ways: tuple[Choice, ...]  # one of them chosen, or none yet
    reasons: tuple[Choice, ...]
    documents: tuple[Choice, ...]
    face_url: str | None = None  # to compare with; none of people this site may not see
    second: bool = True
    alone: bool = False  # one nurse works here alone: a document needs no reason
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HoldForm:
    patient_id: str
    number: str
    reasons: tuple[Choice, ...]  # code: "clinical.medical_review"
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AfterForm:
    """A recorded dose: what was seen later, or a void."""

    dose_id: str
    number: str
    medicine: str
    dose_ug: int
    volume_ul: int
    unit: str
    outcome: str
    given_at: datetime | None
    observations: tuple[Choice, ...] = ()
    seen: tuple[str, ...] = ()  # already recorded, as sentences
    may_void: bool = False
    voided: bool = False
    reasons: tuple[Choice, ...] = ()
    dispositions: tuple[Choice, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PatientSide:
    """What the person at the counter sees: nothing else may be added here."""

    counter_id: str
    version: str
    number: str = ""
    face_url: str | None = None
    medicine: tuple[str, ...] = ()  # in the three languages
    dose_ug: int | None = None
    volume_ul: int | None = None
    unit: str = "ul"
    dose_id: str = ""
    signature_open: bool = False
    signed: bool = False
    pin_open: bool = False  # the card was read: the person types their PIN here
    pin_again: bool = False
