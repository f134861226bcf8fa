"""Routes of the stranger at the counter: an emergency look, and their picture once a card of theirs is open.

Neither takes a person: whom they are about, the server knows from what stands at the counter.
"""

from __future__ import annotations

from flask import Response, request

from ost import policies
from ost.answers import field_texts
from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.services import elsewhere
from ost.web import counter_stranger
from ost.web import counter_view as cv
from ost.web.counter_desk import answer, blueprint, here, refused

DIALOG = "counter/_dialog_emergency.html"


@blueprint.get("/counter/<counter_id>/emergency")
@allow("emergency.look")
def emergency_form(counter_id: str):
    """Why it cannot wait."""
    pulse = here(counter_id)
    standing = (pulse.notice or {}).get("line", "")
    if not standing:
        return answer(counter_id)
    return answer(counter_id, dialog=DIALOG, d=_form(pulse, standing))


@blueprint.post("/counter/<counter_id>/emergency")
@allow("emergency.look")
def emergency(counter_id: str):
    """Show who this is, for a few minutes; recorded before anything is shown."""
    pulse = here(counter_id)
    line, reason = request.form.get("line", "")[:64], request.form.get("reason", "")[:40]
    try:
        elsewhere.open_emergency(house(), actor(), counter_id, line, reason)
    except Refusal as refusal:
        if "reason" in refusal.fields:
            errors = {"reason": field_texts(refusal.fields["reason"])}
            return answer(counter_id, dialog=DIALOG, d=_form(pulse, line, errors))
        return refused(counter_id, refusal)
    return answer(counter_id)


def _form(pulse, line: str, errors: dict | None = None) -> cv.EmergencyForm:
    policy = policies.policy(pulse.policy)
    return cv.EmergencyForm(
        line, counter_stranger.reasons(policy), policy.int("emergency_access_minutes"), errors or {}
    )


@blueprint.get("/counter/<counter_id>/stranger/face")
@allow("identify.capture")
def stranger_face(counter_id: str):
    here(counter_id)
    image, kind = elsewhere.face(house(), actor(), counter_id)
    return Response(
        image, content_type=kind, headers={"Content-Disposition": "inline; filename=face", "Cache-Control": "no-store"}
    )
