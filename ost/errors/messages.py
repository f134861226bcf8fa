"""Telling people, and where they are reached."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "contact_address_wrong": Message(
        N_("This address cannot be used"),
        N_(
            "A mobile number has ten digits from 09 or starts with + and the country, an e-mail has one @, "
            "and a LINE user ID is U and 32 signs."
        ),
        N_("Read it back and type it again."),
        400,
    ),
    "contact_unknown": Message(
        N_("This address is not known"),
        N_("It was taken away or replaced, or is somebody else's."),
        N_("Open the page again."),
        404,
    ),
    "contact_codes_too_many": Message(
        N_("No further code for now"),
        N_("Several were sent within the hour."),
        N_("Use the newest one, or ask again in an hour."),
        429,
    ),
    "message_unknown": Message(
        N_("This message is not known"),
        N_("No message of your site has this id."),
        N_("Go back to the list."),
        404,
    ),
    "message_not_to_resend": Message(
        N_("This message is not sent again"),
        N_("It was sent, is on its way, held a code that is gone, or is no news any more."),
        N_("Call the person if they must know."),
    ),
}
