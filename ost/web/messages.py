"""Messages that did not arrive, for whoever can call instead; and, in the demo, what would have been sent."""

from __future__ import annotations

from flask import abort, redirect, render_template, url_for
from flask_babel import gettext

from ost.channels.page import DemoPage
from ost.errors import N_
from ost.http import actor, allow, holds, house, open_route, settings
from ost.services.messages import failed
from ost.web import desk

blueprint = desk.make_blueprint("messages", __name__, "")

#: What a message is about, for people at a desk.
KINDS = {
    "guest_asked": N_("request received"),
    "guest_confirmed": N_("guest days confirmed"),
    "guest_declined": N_("not approved"),
    "guest_not_accepted": N_("no room"),
    "guest_question": N_("a question to answer"),
    "guest_offer": N_("another place offered"),
    "guest_changed": N_("guest days changed"),
    "guest_day_dropped": N_("a day taken out"),
    "guest_day_unused": N_("a day that was not used"),
    "guest_paused": N_("guest days on hold"),
    "guest_resumed": N_("guest days stand again"),
    "guest_ended": N_("guest days ended"),
    "guest_expired": N_("not answered in time"),
    "guest_closed_summary": N_("guest days complete"),
    "closure_moved": N_("closed: where to go instead"),
    "closure_nowhere": N_("closed: no place found"),
    "closure_later": N_("closed: dosed later at the same site"),
    "closure_undone": N_("closure undone"),
    "portal_code": N_("a one-time code"),
    "portal_new_sign_in": N_("a new sign-in"),
}
STATES = {
    "given_up": N_("given up"),
    "unknown": N_("not known whether it arrived"),
    "nowhere": N_("nobody to send it to"),
}
#: Why, and so what to do: codes of the sender and of the channels.
ERRORS = {
    "too_late": N_("it was no news any more"),
    "no_consent": N_("they did not agree to messages"),
    "no_address": N_("no verified telephone, e-mail or LINE"),
    "no_channel": N_("no channel is set up for their address"),
    "forgotten": N_("the person was forgotten"),
    "unreadable": N_("the text could not be written"),
    "lease_over": N_("sending broke off in the middle"),
    "channel_broke": N_("the channel broke"),
    "refused": N_("the address was refused"),
    "sender_refused": N_("our sender address was refused"),
    "text_refused": N_("the text was refused"),
    "not_allowed": N_("our password or token was refused"),
    "busy": N_("the far end was busy"),
    "no_answer": N_("no answer"),
    "no_connection": N_("no connection"),
    "certificate": N_("the far end's certificate is not trusted"),
    "no_tls": N_("the far end offered no encryption"),
    "cut_off": N_("the line was cut"),
    "far_end_failed": N_("the far end failed"),
    "answer_unclear": N_("the answer was unclear"),
}
CHANNELS = {
    "sms": N_("text message"),
    "email": N_("e-mail"),
    "smtp": N_("e-mail"),
    "line": N_("LINE"),
    "page": N_("demo page"),
}


@blueprint.get("/undelivered")
@allow("message.read")
def index():
    """At a site by the people's numbers; at the coordination centre by request number only."""
    centre = _centre()
    found = failed.of_network(house(), actor()) if centre else failed.of_site(house(), actor(), desk.here())
    return render_template(
        "messages/undelivered.html", messages=found, centre=centre, days=failed.DAYS_SHOWN, words_of=_words
    )


@blueprint.post("/undelivered/<message_id>/again")
@allow("message.read")
def again(message_id: str):
    failed.send_again(house(), actor(), message_id)
    desk.done(gettext("It goes out once more. That you decided it is on record."))
    return redirect(url_for("messages.index"))


@blueprint.get("/demo/messages")
@open_route
def demo():
    """What patients would have got; in the demo they are invented, and everybody may look."""
    if not settings().demo:
        abort(404)
    return render_template("messages/demo.html", messages=DemoPage(settings().home).shown()[:100], words_of=_words)


def _centre() -> bool:
    return holds("guest.coordinate") and not holds("patient.read")


def _words(of: str, code: str | None) -> str:
    texts = {"kind": KINDS, "state": STATES, "error": ERRORS, "channel": CHANNELS}[of]
    return gettext(texts[code]) if code in texts else (code or "–")
