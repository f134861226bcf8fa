"""The stranger at the counter, as the page shows them: what `ost.services.elsewhere` opens, in words."""

from __future__ import annotations

from flask import url_for

from ost import wording
from ost.http import actor, holds, house
from ost.services import elsewhere
from ost.web import counter_view as cv
from ost.web.counter_words import capital, choices, medicine_word
from ost.wording import site_name


def view(pulse) -> cv.StrangerView | None:
    """None when no stranger stands at the counter."""
    if (pulse.notice or {}).get("code") != elsewhere.NOTICE:
        return None
    found = elsewhere.at_counter(house(), actor(), pulse.id)
    if found is None:
        return None
    may_ask = holds("emergency.look") and pulse.now < found.may_ask_until
    if found.shown is None:
        return cv.StrangerView(found.line, found.dosed_today, may_ask=may_ask)
    who = found.shown
    return cv.StrangerView(
        line=found.line,
        dosed_today=found.dosed_today,
        may_ask=may_ask and who.way != elsewhere.EMERGENCY,
        way=who.way,
        number=who.number,
        name=who.name or "",
        sex=who.sex or "",
        born=who.born,
        face_url=url_for("counter.stranger_face", counter_id=pulse.id, of=found.line) if who.has_face else None,
        home_site=site_name(who.home_site),
        home_phone=who.home_phone,
        last_on=who.last_on,
        last_ug=who.last_ug,
        medicine=medicine_word(who.medicine) if who.medicine else "",
        ordered_ug=who.ordered_ug,
        holds=tuple(capital(wording.word(code)) for code in who.holds),
        until=who.until,
    )


def reasons(policy) -> tuple[cv.Choice, ...]:
    return choices(policy.list("emergency_access_reasons"))
