"""The counter's page and its steps: one person, one dose, from the touch to the swallow.

HTTP only. The page asks once a second what is new (`state`) and gets the parts
that changed; every action answers with the person zone. Which screen stands
there is built from the counter's row and the records (`ost.web.counter_build`).
Who stands here is in `ost.web.counter_identity`, outcomes and the other dialogs in `ost.web.counter_forms`.
"""

from __future__ import annotations

import re
from time import monotonic
from urllib.parse import urlsplit

from flask import Response, flash, redirect, render_template, request, url_for
from flask import session as browser
from flask_babel import gettext as _

from ost import clock, policies, wording
from ost.answers import say
from ost.errors import Refusal
from ost.http import actor, allow, house, is_fragment, quiet, session
from ost.services import (
    amend,
    counter_page,
    counter_session,
    decision,
    identify_at_counter,
    outcome,
    patient_read,
    print_list,
    promise,
)
from ost.services.guest.take_back import take_back_today
from ost.services.promise import DoseRequest, Identity, Refused
from ost.web import counter_build as build
from ost.web import counter_elsewhere, counter_forms, counter_identity, counter_side, demo_reader
from ost.web import counter_view as cv
from ost.web.counter_desk import answer, blueprint, desk, here, keep, quick, refused, token
from ost.web.counter_words import medicine_word

__all__ = ["blueprint", "counter_elsewhere", "counter_forms", "counter_identity"]  # their routes come with their files

_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
BEAT_S = 0.9  # the demo's reader must be heard as often as a real one


# --- the page ----------------------------------------------------------------------------------


@blueprint.get("/counter")
@allow("counter.use")
def index():
    """This browser's counter, or the page to choose one."""
    mine = session().counter
    return redirect(url_for("counter.page", counter_id=mine) if mine else url_for("sign_in.choose"))


@blueprint.get("/counter/<counter_id>")
@allow("counter.use")
def page(counter_id: str):
    _beat(counter_id)
    try:
        pulse = here(counter_id)
    except Refusal as refusal:
        if refusal.code != "counter_not_yours":
            raise
        flash(say(refusal.code)["title"], "note")
        return redirect(url_for("sign_in.choose"))
    mine = desk()
    if urlsplit(request.referrer or "").path == url_for("sign_in.locked") and mine.bottle:
        mine.bottle = ""  # after an unlock the bottle in the hand is looked at again
        keep(mine)
    view = build.view(pulse, mine)
    return render_template("counter/page.html", v=view, have=token(view, pulse))


@blueprint.get("/counter/<counter_id>/state")
@allow("counter.use")
@quiet
def state(counter_id: str):
    """204 when nothing changed since `have`; else the zones that did. Never changes the cookie."""
    _beat(counter_id)
    try:
        pulse = here(counter_id)
    except Refusal as refusal:
        if refusal.code != "counter_not_yours":
            raise
        return Response(status=204, headers={"HX-Redirect": url_for("sign_in.choose")})
    had, queue, person, reader, screen = (request.args.get("have", "") + "....").split(".")[:5]
    if screen not in (cv.OPEN_DOSES, cv.SWEEP) or had.partition("-")[0] != str(pulse.version):
        screen = ""  # somebody touched: what stands at the counter goes first
    if had == quick(pulse) and (not pulse.dose or build.person(pulse, desk()).version == person):
        return "", 204
    view = build.view(pulse, desk(), screen)
    zones = {"queue": (queue, view.queue), "person": (person, view.person)}
    parts = [name for name, (before, now) in zones.items() if before != now.version]
    if reader != view.reader.version:
        parts.append("reader")
        if view.person.screen == cv.IDLE and "person" not in parts:
            parts.append("person")  # the waiting screen says it too
    return render_template(
        "counter/answer.html", v=view, have=token(view, pulse, screen), parts=parts, oob_person=True
    )


def _beat(counter_id: str) -> None:
    """The demo's reader is there while a page is open; a real one speaks for itself."""
    memo, key = house().memo, ("demo_beat", counter_id)
    if monotonic() - memo.get(key, -BEAT_S) >= BEAT_S:
        memo[key] = monotonic()
        demo_reader.beat(counter_id)


# --- check and promise ----------------------------------------------------------------------------


@blueprint.post("/counter/<counter_id>/check")
@allow("dose.give")
def check(counter_id: str):
    """A sign was seen (or, with an empty one, looked again). A "no" that follows is recorded as any other."""
    pulse = here(counter_id)
    mine = desk()
    sign = request.form.get("sign", "")
    known = policies.policy(pulse.policy).list("intoxication_signs", clock.dosing_day(pulse.now, pulse.tz))
    mine.about, mine.refused = build.about(pulse), []
    mine.signs = [sign] if sign in known else []
    keep(mine)
    if mine.signs and pulse.patient and not pulse.dose:
        wanted = _wanted(pulse, tuple(mine.signs))
        seen = decision.preview(
            house(), actor(), wanted.patient_id, pulse.site, slot=wanted.slot, bottle=wanted.bottle,
            intoxication=wanted.intoxication,
        )  # fmt: skip
        if seen.verdict == "refuse":
            promise.promise(house(), actor(), wanted)
    return answer(counter_id)


@blueprint.post("/counter/<counter_id>/promise", endpoint="promise")
@allow("dose.give")
def promised(counter_id: str):
    """Prepare. The dose's id came with the page: the same click twice is one dose."""
    pulse = here(counter_id)
    signs = () if request.form.get("signs") == "none" else None
    try:
        done = promise.promise(house(), actor(), _wanted(pulse, signs))
    except Refusal as refusal:
        return refused(counter_id, refusal)
    mine = desk()
    mine.about, mine.signs, mine.refused = build.about(pulse), [], []
    if isinstance(done, Refused):
        mine.refused = [r for r in done.reasons if r["tier"] == cv.STOP][:6] or list(done.reasons)[:6]
    keep(mine)
    return answer(counter_id)


def _wanted(pulse: counter_page.Pulse, signs: tuple[str, ...] | None) -> DoseRequest:
    form = request.form
    person = form.get("patient_id", "")[:64]
    arrived = counter_page.arrived(house(), pulse.site, person, pulse.shown_at)
    identity = (
        Identity(arrived.path, arrived.evidence, arrived.reason)
        if arrived
        else Identity("number_face", None, None)
    )
    given = sorted((k.removeprefix("reason-"), v[:40]) for k, v in form.items() if k.startswith("reason-"))
    dose_id = form.get("dose_id", "")
    if not _ID.fullmatch(dose_id):
        raise Refusal("input_invalid", fields={"dose_id": ["input_invalid"]})
    return DoseRequest(
        dose_id=dose_id,
        patient_id=person,
        site=pulse.site,
        bottle=form.get("bottle", "")[:40],
        slot=form.get("slot", 1, type=int),
        seen_dose_ug=form.get("seen_dose_ug", -1, type=int),
        seen_volume_ul=form.get("seen_volume_ul", -1, type=int),
        identity=identity,
        intoxication=signs,
        coded_reasons=tuple(given),
        counter=pulse.id,
    )


@blueprint.post("/counter/<counter_id>/undo")
@allow("dose.give")
def undo(counter_id: str):
    """Not given after all; what was poured becomes residue, what was not goes back as a line of its own."""
    here(counter_id)
    poured = request.form.get("poured") == "yes"
    ending = outcome.Ending(
        dose_id=request.form.get("dose_id", "")[:64],
        outcome="not_given",
        disposition="residue" if poured else "returned",
        reason="undone",
        counter=counter_id,
    )
    try:
        outcome.end(house(), actor(), ending)
    except Refusal as refusal:
        return refused(counter_id, refusal)
    return answer(counter_id)


# --- hand-over ---------------------------------------------------------------------------------------


@blueprint.post("/counter/<counter_id>/identity")
@allow("identify.capture")
def identity(counter_id: str):
    """The nurse compared face and number at hand-over, and says so."""
    here(counter_id)
    dose_id, reason = request.form.get("dose_id", "")[:64], request.form.get("reason") or None
    try:
        identify_at_counter.confirm_by_face(house(), actor(), counter_id, dose_id, reason)
    except Refusal as refusal:
        return refused(counter_id, refusal)
    return answer(counter_id)


@blueprint.post("/counter/<counter_id>/dismiss")
@allow("counter.use")
def dismiss(counter_id: str):
    """The stop was seen, the cup is in the nurse's hand: back to the dose."""
    here(counter_id)
    counter_page.put_away(house(), actor(), counter_id)
    return answer(counter_id)


@blueprint.post("/counter/<counter_id>/signature")
@allow("dose.give")
def signature(counter_id: str):
    """From the person's side."""
    pulse = here(counter_id)
    dose_id, strokes = request.form.get("dose_id", ""), request.form.get("signature", "")
    if strokes and dose_id == pulse.dose:
        amend.sign(house(), actor(), dose_id, strokes.encode())
    return _side(counter_id)


# --- a guest day comes home ------------------------------------------------------------------------


@blueprint.post("/counter/<counter_id>/take-back")
@allow("guest.ask")
def take_back(counter_id: str):
    """The person stands here on a day that another site was to dose: the home site takes the day back, and the card
    is the usual one again. The other site's page says so at once; had it prepared a dose, nothing is taken back."""
    pulse = here(counter_id)
    request_id, person = request.form.get("request_id", "")[:64], request.form.get("patient_id", "")[:64]
    if not pulse.patient or person != pulse.patient or pulse.dose:
        return answer(counter_id)
    try:
        take_back_today(house(), actor(), request_id, person, pulse.site)
    except Refusal as refusal:
        return refused(counter_id, refusal)
    mine = desk()
    mine.refused = []
    keep(mine)
    return answer(counter_id)


# --- the lists --------------------------------------------------------------------------------------------


@blueprint.get("/counter/<counter_id>/open-doses")
@allow("queue.read")
def open_doses(counter_id: str):
    return answer(counter_id, screen=cv.OPEN_DOSES)


@blueprint.get("/counter/<counter_id>/sweep")
@allow("counter.sweep")
def sweep(counter_id: str):
    return answer(counter_id, screen=cv.SWEEP)


@blueprint.post("/counter/<counter_id>/sweep")
@allow("counter.sweep")
def close(counter_id: str):
    """End of session: what is open is said first, or left as not known by name."""
    here(counter_id)
    leave_unknown = request.form.get("leave_unknown") == "yes"
    try:
        left = counter_session.close_session(house(), actor(), counter_id, leave_unknown=leave_unknown)
    except Refusal as refusal:
        return refused(counter_id, refusal, cv.SWEEP)
    if left:
        return answer(counter_id, screen=cv.SWEEP)
    browser.pop("desk", None)
    flash(_("The counter is closed."), "done")
    target = url_for("sign_in.choose")
    return Response(status=204, headers={"HX-Redirect": target}) if is_fragment() else redirect(target)


@blueprint.get("/counter/<counter_id>/list")
@allow("queue.print")
def downtime_list(counter_id: str):
    """Today's people and doses on paper, for the hour the power goes."""
    pulse = here(counter_id)
    printed = print_list.paper(house(), actor(), pulse.site)
    return render_template(
        "counter/list.html",
        paper=printed,
        by=session().display_name,
        site_name=build.site_name(pulse.site),
        medicine=medicine_word,
        reason=lambda found: wording.reason(found, printed.tz),
    )


@blueprint.get("/faces/<patient_id>")
@allow("patient.read")
@quiet
def face(patient_id: str):
    """The person's picture. Drawn ones are served as images only: no script in them can run."""
    image, kind = patient_read.face(house(), actor(), patient_id)
    return Response(image, mimetype=kind)


# --- the person's side ----------------------------------------------------------------------------------------


@blueprint.get("/counter/<counter_id>/patient-side")
@allow("counter.use")
def patient_side(counter_id: str):
    return render_template("counter/patient_side.html", s=counter_side.shown(here(counter_id)))


@blueprint.get("/counter/<counter_id>/patient-side/state")
@allow("counter.use")
@quiet
def patient_side_state(counter_id: str):
    shown = counter_side.shown(here(counter_id))
    if shown.version == request.args.get("have"):
        return "", 204
    return render_template("counter/_patient_side.html", s=shown)


@blueprint.post("/counter/<counter_id>/patient-side/pin")
@allow("identify.capture")
def patient_side_pin(counter_id: str):
    """Typed by the person, on their own side: the nurse's screen learns only how it went."""
    try:
        counter_identity.give_pin(counter_id)
    except Refusal as refusal:
        if refusal.code not in ("card_again", "counter_holds_other_dose"):
            raise
    return _side(counter_id)  # which says what the counter waits for now


def _side(counter_id: str):
    if not is_fragment():
        return redirect(url_for("counter.patient_side", counter_id=counter_id))
    return render_template("counter/_patient_side.html", s=counter_side.shown(here(counter_id)))
