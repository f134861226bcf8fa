"""The person's side of the counter: who, medicine, mg, mL, the pad, the keys for a PIN. Nothing else may be added."""

from __future__ import annotations

from dataclasses import replace

from ost import policies
from ost.http import actor, house
from ost.services import card_pin, counter_page
from ost.web import counter_build as build
from ost.web import counter_view as cv
from ost.web import counter_words


def shown(pulse: counter_page.Pulse) -> cv.PatientSide:
    """Before a dose is prepared only who stands here; with one in hand also what it is."""
    view = cv.PatientSide(pulse.id, "")
    who = pulse.patient
    held = counter_page.in_hand(house(), pulse.dose) if pulse.dose else None
    if held is not None:
        who = held.patient
        signature = policies.policy(pulse.policy).bool("signature_required", held.day)
        view = replace(
            view,
            medicine=counter_words.product_names(held.product),
            dose_ug=held.dose_ug,
            volume_ul=held.volume_ul,
            unit=held.unit,
            dose_id=held.id,
            signature_open=signature and not held.signed,
            signed=held.signed,
        )
    waiting = card_pin.asked(pulse.notice, pulse.now) if not pulse.dose else None
    if waiting is not None:
        view = replace(view, pin_open=True, pin_again=waiting.again)  # not whose card it is: the PIN says that
    elif who:
        person = counter_page.standing(house(), actor(), who, pulse.site)
        view = replace(view, number=person.number, face_url=counter_words.face(who) if person.has_face else None)
    return replace(view, version=build.digest(view))
