"""What any request can meet, whatever it asked for."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "bad_request": Message(
        N_("The request could not be read"),
        N_("It is not well formed."),
        N_("Go back and try again. A program: send JSON with the right content type."),
        400,
    ),
    "input_invalid": Message(
        N_("Something in the form is missing or not right"),
        N_("Nothing was saved."),
        N_("Look at the marked fields, correct them and send again."),
        422,
    ),
    "not_found": Message(
        N_("This does not exist"),
        N_("The address is wrong, or what it named is not here."),
        N_("Check the address, or go back to the start page."),
        404,
    ),
    "method_not_allowed": Message(
        N_("This cannot be done here"),
        N_("The address exists, but not for this kind of request."),
        N_("Go back and use the buttons of the page."),
        405,
    ),
    "too_large": Message(
        N_("What was sent is too large"),
        N_("Nothing was saved."),
        N_("Send a smaller file or picture."),
        413,
    ),
    "media_type_unknown": Message(
        N_("This kind of content is not understood here"),
        N_("Nothing was saved."),
        N_("Send JSON, with the content type application/json."),
        415,
    ),
    "form_expired": Message(
        N_("The form is no longer valid"),
        N_("It was opened before the last sign-in, or comes from another site. Nothing was saved."),
        N_("Reload the page and try again."),
        400,
    ),
    "database_busy": Message(
        N_("The database does not answer"),
        N_("It is locked, full or out of reach. Whether the last step was kept is not certain."),
        N_(
            "Try the same step again: it is never done twice. "
            "If it stays like this, use the printed list and call support."
        ),
        503,
    ),
    "internal": Message(
        N_("Something went wrong in the program"),
        N_("The step was not completed. The error was noted under number %(request_id)s."),
        N_(
            "Try the same step again: it is never done twice. If it stays like this, call support with the number."
        ),
        500,
    ),
}
