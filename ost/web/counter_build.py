"""From what the services say to what the counter's page shows (`ost.web.counter_view`).

Asks the services, decides nothing: which screen follows from the counter's own
state. What only this browser knows (signs seen, a refusal just given, the last
dose's line) comes in as `Desk`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from flask_babel import gettext as _

from ost import clock, policies, wording
from ost.answers import say
from ost.http import actor, holds, house, session
from ost.i18n import language
from ost.rules.checks_guest import is_guest_here
from ost.rules.facts import PastDose
from ost.services import card_pin, counter_page, decision, promise, stock_read
from ost.services import queue as queues
from ost.services.identify_at_counter import allowed_paths, ways_here
from ost.services.identity_rows import PIN_WANTED
from ost.services.places import site_facts
from ost.services.work import new_id
from ost.web import counter_queue, counter_reader, counter_stranger, demo_reader
from ost.web import counter_view as cv
from ost.web.counter_queue import digest, marks
from ost.web.counter_words import capital, choices, face, medicine_name
from ost.web.formats import clock as wall
from ost.web.formats import mg
from ost.wording import site_name

FALLBACK = "reasons_for_identity_fallback"
_MISMATCH = ("another_persons_finger", "another_persons_card")
_HIDDEN = ("intoxication_not_checked",)  # the check row itself says so


@dataclass(slots=True)
class Desk:
    """What this browser remembers beside the database. `about`: the card it belongs to."""

    bottle: str = ""  # scanned or compared since the last unlock
    about: str = ""
    signs: list[str] = field(default_factory=list)
    refused: list[dict] = field(default_factory=list)  # reasons of the last "no", as kept
    emergency: dict | None = None
    last: dict | None = None  # {"dose", "number", "dose_ug", "at"} of the last swallow
    second: str = ""  # user name of the last second person here; their PIN is asked each time


def about(pulse: counter_page.Pulse) -> str:
    """Names one showing of one person: what was tapped for it ends with it."""
    return f"{pulse.patient}|{pulse.shown_at.isoformat() if pulse.shown_at else ''}" if pulse.patient else ""


# --- the whole page ------------------------------------------------------------------


def view(pulse: counter_page.Pulse, desk: Desk, screen: str = "") -> cv.CounterView:
    """`screen`: one the nurse asked for (open doses, sweep) instead of what stands at the counter."""
    facts = site_facts(house(), pulse.site)
    seen = queues.queue(house(), actor(), pulse.site)
    today = clock.dosing_day(pulse.now, pulse.tz)
    return cv.CounterView(
        counter_id=pulse.id,
        counter_label=_("Counter %(label)s", label=pulse.label),
        site_name=facts.name(language()),
        today=today,
        now=pulse.now,
        tz=pulse.tz,
        nurse=session().display_name,
        queue=counter_queue.view(pulse, seen, counter_page.lookalikes(house(), pulse.site, today)),
        reader=counter_reader.view(pulse),
        person=_versioned(_person(pulse, desk, seen, today, screen)),
        demo_fingers=demo_reader.fingers(pulse.site),
    )


def person(pulse: counter_page.Pulse, desk: Desk) -> cv.PersonView:
    """The person zone alone: with a dose in hand, time changes it without anything being recorded."""
    seen = queues.queue(house(), actor(), pulse.site)
    return _versioned(_person(pulse, desk, seen, clock.dosing_day(pulse.now, pulse.tz), ""))


def _versioned(person: cv.PersonView) -> cv.PersonView:
    """The version is a digest of what is shown; the id a card made for its dose is not shown."""
    plain = person
    if person.dose and person.screen in (cv.CARD, cv.STOPPED):
        plain = replace(person, dose=replace(person.dose, dose_id=""))
    return replace(person, version=digest(plain))


# --- the person zone ---------------------------------------------------------------------


def _person(pulse, desk: Desk, seen: queues.Queue, today: date, screen: str) -> cv.PersonView:
    if desk.emergency:
        return cv.PersonView("", cv.EMERGENCY, emergency=_emergency(pulse, desk.emergency))
    if pulse.dose:
        held = counter_page.in_hand(house(), pulse.dose)
        if held is not None:
            return _dose_in_hand(pulse, held)
    if screen == cv.OPEN_DOSES:
        return cv.PersonView("", cv.OPEN_DOSES, open_doses=_open_doses(pulse))
    if screen == cv.SWEEP:
        return cv.PersonView("", cv.SWEEP, sweep=_sweep(pulse, seen))
    if pulse.patient:
        return _card(pulse, desk, seen, today)
    offered = (pulse.notice or {}).get("candidates")
    if offered:
        return cv.PersonView(
            "",
            cv.CHOOSE,
            offered=tuple(
                cv.OfferedFace(i, number, face(i) if has else None)
                for i, number, has in counter_page.faces(house(), offered)
            ),
        )
    waiting = card_pin.asked(pulse.notice, pulse.now)
    if waiting is not None:
        return cv.PersonView("", cv.PIN, pin_again=waiting.again)
    if (stranger := counter_stranger.view(pulse)) is not None:
        return cv.PersonView("", cv.ELSEWHERE, stranger=stranger)
    return cv.PersonView("", cv.IDLE, notice=_notice(pulse), toast=_last(pulse, desk), ways=_ways(pulse))


def _ways(pulse) -> tuple[cv.Way, ...]:
    """The site's choice, in one order; what each asks is the pack's."""
    policy = policies.policy(pulse.policy)
    asks = {
        "card": "pin" if policy.bool("card_pin_required") else "",
        "number_face": "second" if policy.bool("number_face_second_required") else "",
    }
    chosen = ways_here(house(), pulse.id)
    return tuple(cv.Way(w, w in ("number_face", "document"), asks.get(w, "")) for w in chosen.paths)


def _card(pulse, desk: Desk, seen: queues.Queue, today: date) -> cv.PersonView:
    mine = desk.about == about(pulse)
    signs = tuple(desk.signs) if mine and desk.signs else None
    rows = [r for r in seen.rows if r.due.patient == pulse.patient]
    slot = next((r.due.slot for r in rows if r.state not in (queues.DONE, queues.UNKNOWN)), None)
    shown = decision.preview(
        house(),
        actor(),
        pulse.patient,
        pulse.site,
        slot=slot or 1,
        bottle=_bottle_in_use(pulse, desk),
        intoxication=signs,
    )
    card = _who(pulse, shown, rows)
    dose = _dose(pulse, desk, shown, slots=len({r.due.slot for r in rows}) or 1)
    here = [r for r in shown.reasons if r["code"] not in _HIDDEN]
    refused = desk.refused if mine else []
    if shown.verdict == "give" and not refused and dose.bottle is not None and dose.volume_ul is not None:
        return cv.PersonView(
            "",
            cv.CARD,
            card=card,
            dose=dose,
            check=_check(pulse, today),
            reasons=tuple(_reason(pulse, r, today, card, shown.facts) for r in here),
        )
    if shown.verdict == "refuse" and not signs and not refused:
        _keep_stop(pulse, shown)
    found = {r["code"]: r for r in [*refused, *here]}
    given = next((d for d in shown.facts.past if d.id == shown.facts.slot_state.attempt_id), None)
    return cv.PersonView(
        "",
        cv.STOPPED,
        card=card,
        dose=dose,
        check=_check(pulse, today, signs) if signs or refused else None,
        reasons=tuple(_reason(pulse, r, today, card, shown.facts) for r in found.values()),
        given_dose_id=given.id if given and given.outcome and given.site == pulse.site else "",
        take_back=_take_back(shown, [*refused, *here]),
    )


def _take_back(shown: decision.Shown, reasons: list[dict]) -> str:
    """The request whose day the home site may take back: nothing else stops the dose here."""
    facts, stops = shown.facts, {r["code"] for r in reasons if r["tier"] == cv.STOP}
    if stops != {"guest_day_elsewhere"} or facts.site != facts.home_site or not holds("guest.ask"):
        return ""
    return facts.guest.request


def _keep_stop(pulse, shown: decision.Shown) -> None:
    """A stop is on record, and with the prescriber, from the moment it is shown; each showing once."""
    codes = sorted(r["code"] for r in shown.reasons)
    name = hashlib.sha256(repr((about(pulse), shown.facts.slot, shown.bottle, codes)).encode()).hexdigest()[:32]
    memo, key = house().memo, ("stop_kept", pulse.id)
    if memo.get(key) == name or not holds("dose.give"):
        return
    wanted = promise.DoseRequest(
        name, pulse.patient, pulse.site, shown.bottle or "", shown.facts.slot, 0, 0,
        promise.Identity("number_face"), None, counter=pulse.id,
    )  # fmt: skip
    promise.keep_stop(house(), actor(), wanted)
    memo[key] = name


def _who(pulse, shown: decision.Shown, rows) -> cv.PersonCard:
    person = counter_page.standing(house(), actor(), pulse.patient, pulse.site)
    arrived = counter_page.arrived(house(), pulse.site, pulse.patient, pulse.shown_at)
    facts = shown.facts
    taken = ("swallowed", "partly", "too_much")
    last = next((d for d in facts.past if d.outcome in taken and d.id != pulse.dose), None)
    last_ug = _swallowed(last) if last else None
    now_ug = shown.dose_ug or shown.ordered_ug or (facts.order.dose_ug if facts.order else None)
    alike = counter_page.lookalikes(house(), pulse.site, facts.day).get(person.id, "")
    guest = person.home_site != pulse.site
    return cv.PersonCard(
        patient_id=person.id,
        number=person.number,
        name=person.name or _("Name not kept"),
        sex=person.sex,
        born=person.born,
        face_url=face(person.id) if person.has_face else None,
        home_site=site_name(person.home_site),
        guest_day=(facts.guest.number, facts.guest.days) if is_guest_here(facts) else None,
        last_dose_ug=last_ug,
        last_dose_at=(last.given_at or last.promised_at) if last else None,
        last_dose_site=site_name(last.site) if last and last.site != pulse.site else "",
        # Between the two amounts that stand on the card: what was swallowed then, what is given now.
        change_ug=now_ug - last_ug if last_ug is not None and now_ug is not None else None,
        missed_days=counter_page.missed(shown, pulse.policy),
        marks=marks(person.priority, guest, False),
        lookalike=alike,
        identified_by={"number_face": "number"}.get(arrived.path, arrived.path) if arrived else "",
    )


def _dose(pulse, desk: Desk, shown: decision.Shown, slots: int) -> cv.DoseView:
    facts = shown.facts
    bottle = facts.bottle
    return cv.DoseView(
        dose_id=new_id(),
        medicine=medicine_name(
            bottle.product if bottle else None, facts.order.medicine if facts.order else ""
        ),
        dose_ug=shown.dose_ug,
        volume_ul=shown.volume_ul,
        unit=bottle.unit if bottle else "ul",
        ordered_ug=shown.ordered_ug,
        slot=facts.slot,
        slots=slots,
        bottle=bottle
        and cv.BottleView(
            id=bottle.id,
            lot=bottle.lot,
            strength_ug_per_ml=bottle.strength_ug_per_ml,
            unit=bottle.unit,
            expires_on=bottle.expires_on,
            left_ul=bottle.balance_ul,
            scan_needed=desk.bottle != bottle.id,
        ),
    )


def _bottle_in_use(pulse, desk: Desk) -> str | None:
    """The bottle in the nurse's hand, as long as it is open; else the newest open one fits itself."""
    if not desk.bottle:
        return None
    found = {b.id: b for b in stock_read.bottles(house(), actor(), pulse.site, ("open",))}
    return desk.bottle if desk.bottle in found else None


def _check(pulse, today: date, chosen: tuple[str, ...] | None = None) -> cv.CheckView:
    policy = policies.policy(pulse.policy)
    codes = policy.list("intoxication_signs", today)
    return cv.CheckView(
        asked=policy.bool("intoxication_check", today),
        signs=tuple(cv.Choice(c, capital(wording.word(c)), c in (chosen or ())) for c in codes),
    )


# --- a dose in hand -----------------------------------------------------------------------


def _dose_in_hand(pulse, held: counter_page.InHand) -> cv.PersonView:
    policy = policies.policy(pulse.policy)
    shown = decision.preview(house(), actor(), held.patient, pulse.site, slot=held.slot, bottle=held.bottle)
    notice = pulse.notice or {}
    code = notice.get("code")
    valid = timedelta(seconds=policy.int("handover_identity_valid_s"))
    late = held.promised_at + timedelta(minutes=policy.int("outcome_witness_after_minutes"))
    good_until = held.confirmed_at + valid if held.confirmed_at else None
    good = good_until is not None and pulse.now < good_until
    hand = cv.HandOver(
        promised_at=held.promised_at,
        # The page hides it then; nothing is swapped for that.
        undo_until=held.promised_at + timedelta(seconds=policy.int("undo_s")),
        paths=tuple(
            cv.IdentityPath(p, choices(policy.list(FALLBACK)) if p == "number_face" else ())
            for p in allowed_paths(policy, "hand_over")
        ),
        confirmed_by=held.confirmed_by if good else "",
        good_until=good_until if good else None,
        expired=good_until is not None and not good,
        try_again=_again(code) if code and code not in _MISMATCH else "",
        signature_required=policy.bool("signature_required", held.day),
        signed=held.signed,
        witness_after=late,
        witness_needed=pulse.now > late,
    )
    screen = cv.HANDED if good else cv.MISMATCH if code in _MISMATCH else cv.POURED
    return cv.PersonView(
        "",
        screen,
        card=replace(_who(pulse, shown, []), change_ug=_change_in_hand(shown, held)),
        dose=cv.DoseView(
            dose_id=held.id,
            medicine=medicine_name(held.product, held.medicine),
            dose_ug=held.dose_ug,
            volume_ul=held.volume_ul,
            unit=held.unit,
            ordered_ug=held.ordered_ug,
            slot=held.slot,
            bottle=cv.BottleView(
                held.bottle, held.lot, held.strength_ug_per_ml, held.unit, left_ul=held.left_ul
            ),
        ),
        hand_over=hand,
        other=_other(notice) if screen == cv.MISMATCH else None,
    )


def _change_in_hand(shown: decision.Shown, held: counter_page.InHand) -> int | None:
    last = next(
        (d for d in shown.facts.past if d.outcome in ("swallowed", "partly") and d.id != held.id), None
    )
    return held.dose_ug - _swallowed(last) if last else None


def _swallowed(past: PastDose) -> int:
    return past.promised_ug if past.swallowed_ug is None else past.swallowed_ug


def _other(notice: dict) -> cv.OtherFace:
    who = notice.get("patient")
    if not who:
        return cv.OtherFace()
    for i, number, has in counter_page.faces(house(), [who]):
        return cv.OtherFace(number, face(i) if has else None, True)
    return cv.OtherFace()


def _again(code: str) -> str:
    texts = say(code)
    return f"{texts['title']} {texts['action']}"


# --- open doses, end of session, emergency -----------------------------------------------------


def _open_doses(pulse) -> tuple[cv.OpenDose, ...]:
    return tuple(
        cv.OpenDose(
            dose_id=d.id,
            number=d.number,
            medicine=medicine_name(d.product, d.medicine),
            dose_ug=d.dose_ug,
            volume_ul=d.volume_ul,
            unit=d.unit,
            day=d.day,
            promised_at=d.promised_at,
            by=d.by,
            counter=d.counter or "",
        )
        for d in counter_page.open_at(house(), actor(), pulse.site)
        if d.id != pulse.dose
    )


def _sweep(pulse, seen: queues.Queue) -> cv.SweepView:
    mine = tuple(d for d in _open_doses(pulse) if d.counter in (pulse.id, ""))
    bottles = [b for b in stock_read.bottles(house(), actor(), pulse.site, ("open",)) if b.kind == "stock"]
    newest = max(bottles, key=lambda b: (b.opened_at is not None, b.opened_at, b.id), default=None)
    return cv.SweepView(
        open_doses=mine,
        given=len(seen.of(queues.DONE)),
        held=len(seen.of(queues.HELD)),
        bottle=newest
        and cv.BottleView(
            newest.id,
            newest.lot,
            newest.strength_ug_per_ml,
            newest.unit,
            newest.expires_on,
            newest.balance_ul,
        ),
        waiting=len(seen.of(queues.HERE)),
    )


def _emergency(pulse, kept: dict) -> cv.EmergencyView:
    return cv.EmergencyView(
        kind=kept["kind"],
        number=kept["number"],
        amount_ug=kept["amount_ug"],
        at=datetime.fromisoformat(kept["at"]),
        prescriber_phone=pulse.phone,
        steps=(
            _("Stay with the person. Nobody leaves."),
            _("Call the prescriber now."),
            _("Drowsy, slow breath, blue lips: ambulance, and naloxone if it is here."),
            _("Keep the cup and the bottle."),
        ),
    )


# --- words --------------------------------------------------------------------------------------


#: Stops of a guest's that the home site can do something about: its telephone, not one's own.
_CALL_HOME = (
    "guest_paused",
    "guest_not_today",
    "guest_consent_ended",
    "guest_order_not_covered",
    "guest_permit_ended",
    "no_order",
    "order_stopped",
    "order_not_started",
    "order_ended",
    "not_due_today",
    "new_induction_needed",
)


def _whom(found: dict, facts) -> str:
    """The telephone that helps with this stop; empty: one's own site's."""
    if facts is None or facts.guest is None:
        return ""
    if found["code"] == "guest_day_elsewhere":
        return counter_page.phone_of(house(), facts.guest.site)
    # A sign-off on the home order is the home prescriber's alone (`ost.services.signoffs`).
    homes = found["code"] in _CALL_HOME or (found.get("needs_signoff") and is_guest_here(facts))
    return counter_page.phone_of(house(), facts.home_site) if homes else ""


def _reason(pulse, found: dict, today: date, card: cv.PersonCard, facts=None) -> cv.ReasonView:
    texts = wording.reason(found, pulse.tz)
    data = found["data"]
    stop = found["tier"] == cv.STOP
    back = data.get("come_back_on") or data.get("next_due_on")
    if stop and not back and found["code"] in ("already_dosed_today", "slot_used"):
        back = (today + timedelta(days=1)).isoformat()
    policy = policies.policy(pulse.policy)
    key = "reasons_for_gap_short" if found["code"].startswith("gap_") else "reasons_general"
    return cv.ReasonView(
        code=found["code"],
        tier=found["tier"],
        title=texts["title"],
        detail=texts["detail"],
        action=texts["action"],
        come_back_on=date.fromisoformat(str(back)) if back else None,
        call=str(data.get("call") or ((_whom(found, facts) or pulse.phone) if stop else "")),
        choices=choices(policy.list(key, today)) if found["tier"] == cv.REASON else (),
        needs_local_approval=bool(found.get("weak_source")),
    )


def _notice(pulse) -> cv.ReasonView | None:
    notice = pulse.notice
    if not notice or not notice.get("code") or notice["code"] == PIN_WANTED:
        return None  # a PIN nobody typed is no message
    texts = say(notice["code"])
    return cv.ReasonView(notice["code"], cv.REASON, texts["title"], texts["detail"], texts["action"])


def _last(pulse, desk: Desk) -> cv.Toast | None:
    if not desk.last:
        return None
    at = datetime.fromisoformat(desk.last["at"])
    return cv.Toast(
        "done" if desk.last["outcome"] == "swallowed" else "note",
        f"{desk.last['number']} · {mg(desk.last['dose_ug'])}",
        f"{capital(wording.word(desk.last['outcome']))} {wall(at, pulse.tz, seconds=True)}",
        desk.last["dose"],
    )
