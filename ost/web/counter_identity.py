"""Who stands here: the ways of calling a person to the counter, side by side, and the PIN beside a card.

HTTP only; what each way asks is decided in `ost.services.identify_at_counter`. A try
that failed is kept there and said here, in the dialog where its field stands.
"""

from __future__ import annotations

from flask import Response, request
from flask_babel import gettext as _

from ost import policies, wording
from ost.answers import field_texts, say
from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.services import card_pin, counter_page, identify_at_counter, stock_read
from ost.services.guest import passes
from ost.services.identify_at_counter import REFUSED, Second, Shown
from ost.services.identity_choice import DOCUMENT, NUMBER_FACE
from ost.web import counter_view as cv
from ost.web.counter_build import FALLBACK
from ost.web.counter_desk import answer, blueprint, desk, here, keep, refused
from ost.web.counter_words import choices, face

DIALOG = "counter/_dialog_identity.html"
READER_FAULT = "reader_fault"
#: Where a failed try is said: beside the field that can be mended.
_BESIDE = {
    "witness_wrong": "witness",
    "witness_is_you": "witness",
    "sign_in_wait": "witness",
    "second_not_here": "witness",
    "birth_date_differs": "birth_date",
}


@blueprint.post("/counter/<counter_id>/find")
@allow("identify.capture")
def find(counter_id: str):
    """A scanned card, bottle or guest's pass, or a typed number; six digits that are nobody's number are a pass's."""
    pulse = here(counter_id)
    text = request.form.get("text", "").strip()[:200]
    if not text:
        return answer(counter_id)
    try:
        if text.upper().startswith("OSTB."):
            return in_hand(counter_id, stock_read.by_label(house(), actor(), pulse.site, text).id)
        if text.startswith("OST-"):
            return _card(pulse, text)
        number = text.upper()
        if not counter_page.known_number(house(), number):
            number = counter_page.whole_number(pulse.number_prefix, text)
        if passes.is_pass(text) and not counter_page.known_number(house(), number):
            return _pass(pulse, text)
        return _number(pulse, number, request.form.get("way", ""))
    except Refusal as refusal:
        return refused(counter_id, refusal)


def _card(pulse: counter_page.Pulse, code: str) -> Response:
    if pulse.dose:
        shown = identify_at_counter.confirm_by_card(house(), actor(), pulse.id, pulse.dose, code)
    else:
        shown = identify_at_counter.by_card(house(), actor(), pulse.id, code)
        new_person()
    return _said(pulse, shown)


def _pass(pulse: counter_page.Pulse, text: str) -> Response:
    shown = identify_at_counter.by_pass(house(), actor(), pulse.id, text)
    new_person()
    return _said(pulse, shown)


def _number(pulse: counter_page.Pulse, number: str, way: str) -> Response:
    """`way`: the one whose tile was tapped before; empty when none was."""
    if pulse.dose:
        raise Refusal("counter_holds_other_dose")
    if not counter_page.known_number(house(), number):
        raise Refusal("number_unknown")
    return answer(pulse.id, dialog=DIALOG, d=_form(pulse, number, {"path": way}))


@blueprint.post("/counter/<counter_id>/open")
@allow("identify.capture")
def open_card(counter_id: str):
    """A row of the queue, or one of the faces a touch offered."""
    pulse = here(counter_id)
    person = request.form.get("patient", "")[:64]
    try:
        if pulse.dose:
            raise Refusal("counter_holds_other_dose")
        if person not in (pulse.notice or {}).get("candidates", ()):
            number = next((n for _i, n, _has in counter_page.faces(house(), [person])), "")
            return _number(pulse, number, request.form.get("way", ""))
        shown = identify_at_counter.by_face(house(), actor(), counter_id, person)
    except Refusal as refusal:
        return refused(counter_id, refusal)
    new_person()
    return _said(pulse, shown)


@blueprint.post("/counter/<counter_id>/identify")
@allow("identify.capture")
def identify(counter_id: str):
    """The dialog: number and face with a second person, or a photo document with its birth date."""
    pulse = here(counter_id)
    typed = {
        k: v.strip()[:80] for k, v in request.form.items() if k not in ("csrf_token", "witness_pin", "birth_date")
    }
    number, way = typed.get("number", ""), typed.get("path", "")
    try:
        if pulse.dose:
            raise Refusal("counter_holds_other_dose")
        shown = _try(pulse, number, way, typed)
    except Refusal as refusal:
        if not refusal.fields:
            return refused(counter_id, refusal)
        errors = {name: field_texts(found) for name, found in refusal.fields.items()}
        return answer(counter_id, dialog=DIALOG, d=_form(pulse, number, typed, errors))
    if shown.result == REFUSED and shown.code in _BESIDE:
        said = say(shown.code, shown.data)
        what = _("%(what)s: %(now)s", what=said["title"], now=said["action"])
        errors = {_BESIDE[shown.code]: [what]}
        return answer(counter_id, dialog=DIALOG, d=_form(pulse, number, typed, errors))
    new_person(second=typed.get("witness_username") or desk().second)
    return _said(pulse, shown)


def _try(pulse: counter_page.Pulse, number: str, way: str, typed: dict[str, str]) -> Shown:
    reason = typed.get("reason") or None
    if way == DOCUMENT:
        paper, born = typed.get("document", ""), request.form.get("birth_date", "").strip()[:40]
        return identify_at_counter.by_document(house(), actor(), pulse.id, number, paper, born, reason)
    if way == NUMBER_FACE:
        name = typed.get("witness_username", "")
        second = Second(name, request.form.get("witness_pin", "")[:40]) if name else None
        return identify_at_counter.by_number(house(), actor(), pulse.id, number, reason, second)
    raise Refusal("input_invalid", fields={"path": ["not_a_choice"]})


def _form(pulse: counter_page.Pulse, number: str, values=None, errors=None) -> cv.IdentityForm:
    policy = policies.policy(pulse.policy)
    chosen = identify_at_counter.ways_here(house(), pulse.id)
    ways = tuple(w for w in (NUMBER_FACE, DOCUMENT) if w in chosen.paths)
    if not ways:
        allowed = wording.listed(wording.word(w) for w in chosen.paths)
        raise Refusal("identity_path_not_allowed", allowed=allowed)
    # The picture to compare with, of people this site may see today; of anybody else there is none.
    person = counter_page.by_number(house(), pulse.site, number)
    has_face = any(has for _i, _n, has in counter_page.faces(house(), [person])) if person else False
    values = dict(values or {})
    if pulse.reader in ("silent", "offline") and READER_FAULT in policy.list(FALLBACK):
        values.setdefault("reason", READER_FAULT)  # it is said on this very page; one tap changes it
    values.setdefault("witness_username", desk().second)
    return cv.IdentityForm(
        number=number,
        ways=choices(ways, chosen=ways[0] if len(ways) == 1 else values.get("path", "")),
        reasons=choices(policy.list(FALLBACK)),
        documents=choices(policy.list("identity_documents")),
        face_url=face(person) if has_face else None,
        second=policy.bool("number_face_second_required"),
        alone=chosen.alone,
        values=values,
        errors=errors or {},
    )


# --- the PIN beside a card -----------------------------------------------------------------------


@blueprint.post("/counter/<counter_id>/pin")
@allow("identify.capture")
def pin(counter_id: str):
    """Typed on the nurse's keypad. The screen itself says how it went."""
    try:
        give_pin(counter_id)
    except Refusal as refusal:
        return refused(counter_id, refusal)
    return answer(counter_id)


def give_pin(counter_id: str) -> None:
    """The PIN of this request, from whichever side of the counter."""
    pulse = here(counter_id)
    if pulse.dose:
        raise Refusal("counter_holds_other_dose")
    shown = card_pin.give_pin(house(), actor(), counter_id, request.form.get("pin", "")[:12])
    if shown.result != REFUSED:
        new_person()


# --- afterwards ------------------------------------------------------------------------------------


@blueprint.post("/counter/<counter_id>/leave")
@allow("counter.use")
def leave(counter_id: str):
    """The person stepped aside, or a list was read: the counter waits for the next."""
    pulse = here(counter_id)
    new_person(emergency=None)
    if not pulse.dose:
        identify_at_counter.close_card(house(), actor(), counter_id)
    return answer(counter_id)


@blueprint.post("/counter/<counter_id>/bottle")
@allow("counter.use")
def bottle(counter_id: str):
    """The label in the hand was compared with the page by eye: the way without a scanner."""
    pulse = here(counter_id)
    try:
        found = stock_read.one_bottle(house(), actor(), request.form.get("bottle_seen", "")[:40])
        if found.site != pulse.site:
            raise Refusal("bottle_unknown")
    except Refusal as refusal:
        return refused(counter_id, refusal)
    return in_hand(counter_id, found.id)


def in_hand(counter_id: str, bottle_id: str) -> Response:
    mine = desk()
    mine.bottle = bottle_id
    keep(mine)
    return answer(counter_id)


def new_person(**changes) -> None:
    mine = desk()
    mine.about, mine.signs, mine.refused, mine.last = "", [], [], None
    for name, value in changes.items():
        setattr(mine, name, value)
    keep(mine)


def _said(pulse: counter_page.Pulse, shown: Shown) -> Response:
    if shown.result != REFUSED:
        return answer(pulse.id)
    data = dict(shown.data)
    if "allowed" in data:
        data["allowed"] = wording.listed(wording.word(w) for w in data["allowed"].split(", "))
    return refused(pulse.id, Refusal(shown.code, **data))
