"""The practice panel on the counter's page: "touch as ...", wet, wrong, stranger, unplugged.

Exists in the demo only; everywhere else its address is not found. What it lays
on goes through the stations' door like any other touch.
"""

from __future__ import annotations

from flask import Blueprint, abort, request
from flask_babel import gettext as _

from ost.http import actor, allow, house, settings
from ost.services import simulate_touch
from ost.services.gallery import gallery_of
from ost.web.counter_view import DemoFinger

blueprint = Blueprint("demo_reader", __name__)


@blueprint.post("/counter/<counter_id>/demo-reader")
@allow("counter.use")
def touch(counter_id: str):
    """Form field `finger`: a patient's id or a button's code. The page learns the rest from the counter's version."""
    lay_on(counter_id)
    return "", 204


def lay_on(counter_id: str) -> None:
    """What the form's `finger` says, done at this counter's demo reader."""
    if not settings().demo:
        abort(404)
    button = request.form.get("finger", "")
    simulate_touch.press(house(), gallery_of(house()), _keys(), actor(), counter_id, button)


def lay_finger_on(counter_id: str, patient: str, finger: str) -> None:
    """That very finger of the person, for enrolling it at the demo's reader."""
    if not settings().demo:
        abort(404)
    simulate_touch.touch(house(), gallery_of(house()), _keys(), counter_id, simulate_touch.PERSON, patient, finger)


def beat(counter_id: str) -> None:
    """The demo reader is there as long as its counter's page is open: called by the page's refresh."""
    if settings().demo:
        simulate_touch.beat(house(), _keys(), counter_id)


def fingers(site: str) -> tuple[DemoFinger, ...]:
    """The panel's buttons; none outside the demo."""
    if not settings().demo:
        return ()
    people = [DemoFinger(p.patient, p.number) for p in simulate_touch.people(house(), site)]
    others = [
        DemoFinger("wet", _("Wet finger"), _("cannot be read")),
        DemoFinger("wrong", _("Finger that is not enrolled")),
        DemoFinger("stranger", _("Somebody unknown")),
        DemoFinger("vanish", _("Lose the reader during a touch")),
    ]
    # Both, always: the panel is not drawn again while the page stays open.
    return (*people, *others, DemoFinger("unplug", _("Unplug")), DemoFinger("plug", _("Plug in")))


def _keys():
    return settings().keys / "stations"
