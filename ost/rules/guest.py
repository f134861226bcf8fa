"""A guest request from asking to its end: states, transitions, and who may do each. One table; docs are drawn from it.

A request holds its places from the moment it is asked (`guest_place`), so that
nobody approves what has gone in the meantime; each ending gives them back. A
*permit* is a request in one of IN_FORCE: only then do its days bind where the
person may be dosed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ASKED, QUESTION, APPROVED, ACCEPTED, OFFERED = "asked", "question", "approved", "accepted", "offered"
CONFIRMED, PAUSED = "confirmed", "paused"
DECLINED, NOT_ACCEPTED, CANCELLED, ENDED, EXPIRED, CLOSED = (
    "declined",
    "not_accepted",
    "cancelled",
    "ended",
    "expired",
    "closed",
)
#: Before a decision; each holds its places.
OPEN = (ASKED, QUESTION, APPROVED, ACCEPTED, OFFERED)
#: The days bind: the guest site doses, the home site does not.
IN_FORCE = (CONFIRMED, PAUSED)
#: Nothing more happens; places are given back, days that were used stay.
OVER = (DECLINED, NOT_ACCEPTED, CANCELLED, ENDED, EXPIRED, CLOSED)
STATES = OPEN + IN_FORCE + OVER

# Who acts. "home" and "guest" are people of those sites, "prescriber" signs at home (or is their delegate on call),
# "guest_prescriber" at the guest site, "system" is the program on a rule, a clock or a fact that changed.
PATIENT, HOME, PRESCRIBER, GUEST, GUEST_PRESCRIBER, CENTRE, SYSTEM = ROLES = (
    "patient",
    "home",
    "prescriber",
    "guest",
    "guest_prescriber",
    "centre",
    "system",
)

#: Whose move it is in each state; a desk's list of work is what waits for it.
WAITS_FOR = {
    ASKED: HOME,
    QUESTION: PATIENT,
    APPROVED: GUEST,
    ACCEPTED: GUEST_PRESCRIBER,
    OFFERED: PATIENT,
}
NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Transition:
    action: str
    from_states: tuple[str | None, ...]  # None: nothing was there
    to_state: str
    by: tuple[str, ...]
    meaning: str


TRANSITIONS = (
    Transition("ask", (None,), ASKED, (PATIENT, HOME, GUEST), "asked for; the rules found nothing against it"),
    Transition(
        "declare", (None,), CONFIRMED, (SYSTEM,), "an emergency permit under a closure, or a day back once undone"
    ),
    Transition("question", (ASKED,), QUESTION, (HOME, PRESCRIBER), "the home site asks the patient something"),
    Transition("answer", (QUESTION,), ASKED, (PATIENT, HOME), "answered"),
    Transition("authorise", (ASKED,), APPROVED, (SYSTEM,), "a standing authorisation covers it"),
    Transition("approve", (ASKED, QUESTION), APPROVED, (PRESCRIBER,), "the home prescriber, or the delegate on call"),
    Transition(
        "take_over", (ASKED,), APPROVED, (GUEST_PRESCRIBER,), "home did not answer in time: ordered from the record"
    ),
    Transition("decline", (ASKED, QUESTION), DECLINED, (PRESCRIBER,), "not approved, with a reason"),
    Transition("accept", (APPROVED,), ACCEPTED, (GUEST, SYSTEM), "the guest site takes it, or its rule does"),
    Transition("refuse", (APPROVED, ACCEPTED), NOT_ACCEPTED, (GUEST, GUEST_PRESCRIBER), "the guest site cannot"),
    Transition("confirm", (ACCEPTED,), CONFIRMED, (GUEST_PRESCRIBER, SYSTEM), "countersigned where the policy asks"),
    Transition("offer", (ASKED, APPROVED, ACCEPTED), OFFERED, (CENTRE,), "the centre found another place"),
    Transition("take_offer", (OFFERED,), ASKED, (PATIENT, HOME), "the other place suits"),
    Transition("leave_offer", (OFFERED,), ASKED, (PATIENT, HOME, CENTRE), "it does not: the first place stands again"),
    Transition("drop_day", (CONFIRMED, PAUSED), CONFIRMED, (PATIENT, HOME, GUEST, SYSTEM), "a day less"),
    Transition("pause", (CONFIRMED,), PAUSED, (SYSTEM,), "a clinical hold, missed days, or a new order to sign"),
    Transition("resume", (PAUSED,), CONFIRMED, (SYSTEM,), "what stood against it is gone"),
    Transition("cancel", (*OPEN, *IN_FORCE), CANCELLED, (PATIENT, HOME), "not wanted any more"),
    Transition("end", (*OPEN, *IN_FORCE), ENDED, (SYSTEM, CENTRE), "consent, order, episode or designation is gone"),
    Transition("expire", OPEN, EXPIRED, (SYSTEM,), "nobody decided before its last day"),
    Transition("close", IN_FORCE, CLOSED, (SYSTEM,), "after the last day, with a summary"),
)

_BY_ACTION = {t.action: t for t in TRANSITIONS}


class NotListed(Exception):  # noqa: N818 - an answer of the table
    """No such transition from that state for that role. `why`: "action_unknown" | "state" | "role"."""

    def __init__(self, why: str):
        super().__init__(why)
        self.why = why


def next_state(state: str | None, action: str, role: str) -> str:
    """Where `action` by `role` leads from `state`. Raises NotListed."""
    found = _BY_ACTION.get(action)
    if found is None:
        raise NotListed("action_unknown")
    if state not in found.from_states:
        raise NotListed("state")
    if role not in found.by:
        raise NotListed("role")
    # A paused permit that loses a day stays paused.
    if action == "drop_day" and state == PAUSED:
        return PAUSED
    return found.to_state


def listed(from_state: str | None, action: str, to_state: str, role: str) -> bool:
    """Whether a kept step is one the table knows; for verification and drills."""
    try:
        return next_state(from_state, action, role) == to_state
    except NotListed:
        return False


def actions_for(state: str, role: str) -> tuple[str, ...]:
    """What `role` may do to a request in `state`, in the table's order."""
    return tuple(t.action for t in TRANSITIONS if state in t.from_states and role in t.by)


def waits_for(state: str) -> str:
    return WAITS_FOR.get(state, NOBODY)


def table() -> Iterator[tuple[str, str, str, str, str]]:
    """(action, from, to, by, meaning), one row a transition, for the documents."""
    for t in TRANSITIONS:
        froms = ", ".join(s or "-" for s in t.from_states)
        yield t.action, froms, t.to_state, ", ".join(t.by), t.meaning
