"""A person's fingers: enrol at a counter's reader or from a picture, see what is enrolled, withdraw."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from flask import Response, redirect, render_template, request, url_for
from flask_babel import gettext

from ost.answers import say
from ost.errors import Refusal
from ost.http import actor, allow, house, quiet, session
from ost.services import enrol_at_reader, fingerprints, patient_read
from ost.services import policies_in_use as policy_service
from ost.services.enrol_at_reader import AtReader
from ost.services.gallery import gallery_of
from ost.services.practice_finger import practice_picture
from ost.web import demo_reader, desk

blueprint = desk.make_blueprint("fingers", __name__, "/patients")

#: Index fingers read best; thumbs next.
FIRST_FINGERS = ("right_index", "left_index", "right_thumb", "left_thumb")


@blueprint.get("/<patient_id>/fingers")
@allow("patient.enrol_finger")
def page(patient_id: str):
    return _page(patient_id)


def _page(patient_id: str, errors: dict | None = None, last=None):
    record = patient_read.read(house(), actor(), patient_id, page="patients.fingers", at=desk.here())
    return render_template(
        "patients/fingers.html",
        p=record,
        errors=errors or {},
        last=last,
        practice=house().demo,
        from_picture=bool(last) or (bool(errors) and "counter" not in errors),
        **_enrolling(patient_id),
    )


# --- at a counter's reader ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Touched:
    """What the last touch came to, in words. `tier`: "done", "reason"; `code`: of the catalogue, None when kept."""

    tier: str
    code: str | None
    title: str
    text: str
    alike: int


def _enrolling(patient_id: str) -> dict:
    """What the two panels show: the reader's side, and what is enrolled."""
    views = {view.finger: view for view in fingerprints.fingers_of(house(), actor(), patient_id)}
    wanted_fingers, wanted = policy_service.numbers(house(), desk.here(), "enrol_min_fingers", "enrol_impressions")
    unfinished = [f for f in FIRST_FINGERS if getattr(views.get(f), "impressions", 0) < wanted]
    counter = _counter()
    reader = _reader(patient_id, counter) if counter else None
    task = reader.task if reader else None
    following = [f for f in unfinished if task is None or f != task.finger]
    return {
        "patient_id": patient_id,
        "views": views,
        "fingers": desk.choices(fingerprints.FINGERS),
        "chosen": _given("finger") or (unfinished or FIRST_FINGERS)[0],
        "following": following[0] if following else None,
        "wanted_fingers": wanted_fingers,
        "wanted_impressions": wanted,
        "enough": sum(v.impressions >= wanted for v in views.values()) >= wanted_fingers,
        "counters": desk.counters(),
        "counter": counter,
        "reader": reader,
        "touched": _touched(task.said) if task and task.said else None,
        "kept": min(getattr(views.get(task.finger), "impressions", 0), wanted) if task else 0,
        "have": _token(reader),
    }


def _counter() -> str | None:
    """The counter whose reader is used: the one asked for, else this browser's own, else the only one."""
    known = [code for code, _label in desk.counters()]
    asked = _given("counter") or session().counter
    if asked in known:
        return asked
    return known[0] if len(known) == 1 else None


def _given(name: str) -> str:
    return (request.form.get(name) or request.args.get(name) or "")[:40]


def _reader(patient_id: str, counter: str) -> AtReader:
    _beat(counter)
    return enrol_at_reader.at_reader(house(), actor(), patient_id, counter)


def _beat(counter: str) -> None:
    """The demo's reader is there while this page is open; a real one speaks for itself."""
    if house().demo:
        demo_reader.beat(counter)


def _token(reader: AtReader | None) -> str:
    """Changes when there is something new to show."""
    if reader is None or reader.task is None:
        return "-"
    return f"{reader.task.number}-{int(reader.task.set_at.timestamp() * 1000)}-{int(reader.live)}-{int(reader.ready)}"


def _touched(said: dict) -> Touched:
    code, alike = said.get("code"), int(said.get("alike") or 0)
    if code is not None:
        known = say(code, dict(said))
        return Touched("reason", code, known["title"], known["action"], alike)
    quality = said.get("quality")
    parts = [
        gettext("Quality %(q)s, details %(c)s", q=quality, c=said["cylinders"])
        if quality is not None
        else gettext("Quality unknown: this reader gives no picture. Details %(c)s", c=said["cylinders"])
    ]
    if said.get("agrees"):
        parts.append(gettext("like the one before"))
    if said.get("advice") not in (None, "", "none"):
        parts.append(desk.word(said["advice"]))
    return Touched("done", None, gettext("Impression %(n)s kept", n=said["impressions"]), " · ".join(parts), alike)


@blueprint.get("/<patient_id>/fingers/reader")
@allow("patient.enrol_finger")
@quiet
def reader(patient_id: str):
    """The two panels while touches are awaited; 204 when nothing is new since `have`."""
    shown = _enrolling(patient_id)
    if request.args.get("have") == shown["have"]:
        return "", 204
    return render_template("patients/_enrolling.html", **shown)


@blueprint.post("/<patient_id>/fingers/reader")
@allow("patient.enrol_finger")
def begin(patient_id: str):
    """The next touches of the counter's reader are impressions of the chosen finger."""
    counter = _counter()
    if counter is None:
        return _page(patient_id, {"counter": [gettext("Choose the counter whose reader is touched.")]}), 422
    _beat(counter)
    try:
        enrol_at_reader.begin(house(), actor(), patient_id, _given("finger"), counter)
    except Refusal as refusal:
        if refusal.code == "patient_unknown":
            raise
        refusal.fields = refusal.fields or {"counter": [refusal.code]}
        return _page(patient_id, desk.problems(refusal)), 422
    return _back(patient_id, counter)


@blueprint.post("/<patient_id>/fingers/reader/stop")
@allow("patient.enrol_finger")
def stop(patient_id: str):
    counter = _counter()
    if counter is not None:
        enrol_at_reader.end(house(), actor(), counter)
    return _back(patient_id, counter)


@blueprint.post("/<patient_id>/fingers/reader/practice")
@allow("patient.enrol_finger")
def practice(patient_id: str):
    """The demo's reader: the finger that is asked for is laid on, through the stations' door."""
    counter = _counter()
    reader = enrol_at_reader.at_reader(house(), actor(), patient_id, counter) if counter else None
    if reader is not None and reader.live:
        demo_reader.lay_finger_on(counter, patient_id, reader.task.finger)
    return _back(patient_id, counter)


def _back(patient_id: str, counter: str | None) -> Response:
    return redirect(url_for("fingers.page", patient_id=patient_id, counter=counter), 303)


# --- from a picture -----------------------------------------------------------------------


@blueprint.post("/<patient_id>/fingers")
@allow("patient.enrol_finger")
def enrol(patient_id: str):
    """One impression: a picture from the reader's program, or, in the demo, from the practice reader."""
    finger, practice = request.form.get("finger", ""), request.form.get("practice") == "1"
    try:
        if practice:
            image, dpi = practice_picture(house(), patient_id, finger), 500
        else:
            sent = request.files.get("image")
            image = base64.b64encode(sent.read() if sent else b"").decode()
            dpi = int(request.form.get("dpi") or 0) if (request.form.get("dpi") or "").isdigit() else 0
        last = fingerprints.enrol_finger(
            house(), gallery_of(house()), actor(), patient_id, finger, dpi, image, synthetic=practice
        )
    except Refusal as refusal:
        if not refusal.fields:
            refusal.fields = {"image": [refusal.code]}
        return _page(patient_id, desk.problems(refusal)), 422
    return _page(patient_id, last=last)


@blueprint.post("/<patient_id>/fingers/withdraw")
@allow("patient.enrol_finger")
def withdraw(patient_id: str):
    finger = request.form.get("finger") or None
    fingerprints.withdraw(house(), gallery_of(house()), actor(), patient_id, finger)
    desk.done(gettext("Withdrawn. It matches nowhere any more."))
    return redirect(url_for("fingers.page", patient_id=patient_id))
