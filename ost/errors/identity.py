"""Ways of showing who one is at a counter, and the choices about them."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "finger_not_in_use": Message(
        N_("This site does not call people by finger"),
        N_("Its other ways are as good."),
        N_("Ask for the card or the number."),
        403,
    ),
    "card_pin_wrong": Message(
        N_("The PIN does not fit"),
        N_("A slip of the finger happens to everybody."),
        N_("Type it again, or use another way."),
        403,
    ),
    "pin_use_another_way": Message(
        N_("Please use another way this time"),
        N_("The card cannot be used just now."),
        N_("Finger, number or document: each of them is as good."),
        403,
    ),
    "document_use_another_way": Message(
        N_("Please use another way this time"),
        N_("Birth dates were tried that do not fit. It is not compared again for a while."),
        N_("Finger, card, or number and face: each of them is as good."),
        403,
    ),
    "card_without_pin": Message(
        N_("This card has no PIN yet"),
        N_("A card calls somebody only together with a PIN."),
        N_("Use another way this time, and set a PIN on the patient's page."),
    ),
    "card_again": Message(
        N_("No card waits for a PIN"),
        N_("It was read more than a minute ago, or somebody else came to the counter."),
        N_("Read the card once more."),
    ),
    "identity_second_needed": Message(
        N_("A second member of staff compares the face too"),
        N_("Number and face are confirmed by two people here."),
        N_("Let a colleague look and enter their own user name and PIN."),
        422,
    ),
    "second_not_here": Message(
        N_("The second person is at work at another site"),
        N_("Somebody who compares a face stands at this counter."),
        N_("Ask a colleague who is here, or use another way."),
        403,
    ),
    "identity_document_needed": Message(
        N_("Choose which paper was shown"),
        N_("It carries a photograph and a birth date."),
        N_("Choose one from the list."),
        422,
    ),
    "birth_date_differs": Message(
        N_("Number and birth date do not belong together"),
        N_("The birth date on the paper is not the one of this number."),
        N_("Check both and type them again, or use another way."),
        403,
    ),
    "identity_only_finger": Message(
        N_("A way without a finger has to stay"),
        N_("Nobody has to give a finger to get a dose."),
        N_("Choose at least one more."),
        422,
    ),
    "identity_alone_needs_document": Message(
        N_("Where one nurse works alone, the document has to be in use"),
        N_("There is no second person for number and face."),
        N_("Choose the document too."),
        422,
    ),
    "duress_needs_two_fingers": Message(
        N_("This needs a second enrolled finger"),
        N_("With one finger every touch would be a call for help."),
        N_("Enrol another finger first."),
        422,
    ),
    "alert_unknown": Message(
        N_("There is no such message"),
        N_("It is not addressed to you, or is older than 30 days."),
        N_("Go back to the list."),
        404,
    ),
}
