"""Passes of guests."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "guest_permit_unknown": Message(
        N_("There is no such permit"),
        N_("A pass belongs to a confirmed stay, and none was found under this number."),
        N_("Open the request and see where it stands."),
        404,
    ),
    "guest_pass_none": Message(
        N_("There is no pass for this request"),
        N_("It is not confirmed, or its days are over."),
        N_("Open the request: it says where it stands."),
        404,
    ),
    "guest_pass_no_pdf": Message(
        N_("The pass cannot be made as a file here"),
        N_("A library for PDF is missing on this machine."),
        N_("Print the page, or take a picture of it. The pass is as good."),
        503,
    ),
    "guest_pass_digits_used_up": Message(
        N_("No six digits are free at this site"),
        N_("A hundred draws met digits that are in use. Nothing was saved."),
        N_("Try again. If it stays like this, call support."),
        503,
    ),
}
