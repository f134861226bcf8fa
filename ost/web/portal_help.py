"""At the clinic: set up a person's sign-in, and tell a lost number to whoever stands here. For staff."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask_babel import gettext

from ost import policies
from ost.answers import say
from ost.errors import N_, Refusal
from ost.http import actor, allow, house, session
from ost.services.portal import help as service
from ost.services.portal import pin, recover
from ost.web import desk

blueprint = desk.make_blueprint("portal_help", __name__, "")

SEEN_BY = {
    "finger": N_("They touched the reader"),
    "document": N_("A paper with a photograph"),
    "known_person": N_("I know them"),
}


@blueprint.get("/patients/<patient_id>/sign-in")
@allow("portal.help")
def page(patient_id: str):
    return _page(patient_id)


@blueprint.post("/patients/<patient_id>/sign-in")
@allow("portal.help")
def change(patient_id: str):
    given = desk.given("act", "new", "again", "seen_by", "seen_codes")
    try:
        match given["act"]:
            case "pin":
                service.give_pin(
                    house(), actor(), patient_id, given["new"], given["again"], given["seen_by"]
                )
                desk.done(gettext("The new PIN holds, at the counter and on their own pages."))
            case "codes":
                service.take_codes_away(house(), actor(), patient_id, given["seen_codes"])
                desk.done(gettext("Number and PIN are enough again."))
            case "sessions":
                service.end_sessions(house(), actor(), patient_id)
                desk.done(gettext("Signed out everywhere."))
            case _:
                raise Refusal("not_found")
    except Refusal as refusal:
        return _page(patient_id, desk.problems(refusal), given["act"]), 422
    return redirect(url_for("portal_help.page", patient_id=patient_id), 303)


def _page(patient_id: str, errors: dict | None = None, act: str = ""):
    return render_template(
        "patients/sign_in.html",
        patient_id=patient_id,
        state=service.state(house(), actor(), patient_id, desk.here()),
        digits=pin.shortest(house()),
        seen_by=[(code, gettext(text)) for code, text in SEEN_BY.items()],
        errors=errors or {},
        act=act,
    )


# --- a lost number -----------------------------------------------------------------


@blueprint.get("/lost-number")
@allow("portal.help")
def lost():
    return _lost()


@blueprint.post("/lost-number")
@allow("portal.help")
def tell():
    given = desk.given("act", "document", "national_id", "birth_date")
    try:
        if given["act"] == "touch":
            counter = session().counter
            if counter is None:
                return redirect(url_for("sign_in.choose"))
            found = recover.by_touch(house(), actor(), counter)
        else:
            found = recover.by_paper(
                house(), actor(), desk.here(), given["document"], given["national_id"], given["birth_date"]
            )
    except Refusal as refusal:
        if refusal.code in ("not_permitted", "counter_unknown"):
            raise
        errors = desk.problems(refusal) if refusal.fields else {}
        error = None if errors else say(refusal.code, refusal.data)
        return _lost(errors=errors, error=error, given=given), 422
    return _lost(number=found.number)


def _lost(**values) -> str:
    values = {"errors": {}, "error": None, "number": None, "given": {}} | values
    papers = desk.choices(policies.policy(house().policy_name).list("identity_documents"))
    return render_template("patients/lost_number.html", papers=papers, at_counter=session().counter, **values)
