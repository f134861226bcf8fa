"""What registering a person, writing an order, a hold or a sign-off can be answered with.

Several are said about one field of a form: then the page shows the title beside it.
"""

from ost.errors import N_, Message

_PATIENTS = {
    "patient_already_registered": Message(
        N_("This person is already registered"),
        N_("Somebody with this national ID number is in the network. More is shown only to those who may read it."),
        N_("Ask the person where they are in treatment, or call the coordination centre."),
    ),
    "patient_kept_by_law": Message(
        N_("This record must still be kept"),
        N_("Medical records are kept until %(until)s."),
        N_("Tell the person the date. Until then the record can be closed, not forgotten."),
    ),
    "patient_not_active_for_order": Message(
        N_("This person is not in treatment"),
        N_("The record is not active, so no order is written."),
        N_("Check that this is the right person."),
    ),
    "name_not_understood": Message(
        N_("This name cannot be kept"),
        N_("A name has up to 80 characters that can be printed."),
        N_("Write the name as on the person's papers."),
        422,
    ),
    "birth_date_impossible": Message(
        N_("Nobody in treatment was born on this day"),
        N_("It lies in the future, or more than 120 years back."),
        N_("Check the year, in both calendars."),
        422,
    ),
    "phone_not_understood": Message(
        N_("This is not a telephone number"),
        N_("Digits, spaces, brackets, + and - are understood."),
        N_("Correct it, or leave it empty."),
        422,
    ),
    "pin_shape": Message(
        N_("A PIN has 4 to 6 digits"),
        N_("Letters and signs cannot be typed at the counter."),
        N_("Let the person choose another one."),
        422,
    ),
    "pin_guessable": Message(
        N_("This PIN is too easy to guess"),
        N_("One digit, digits in a row, a pair twice or the birth date are what others try first."),
        N_("Let the person choose another one."),
        422,
    ),
    "face_too_large": Message(
        N_("The photograph is too large"),
        N_("A photograph has up to %(most_mb)s MB and 24 million pixels."),
        N_("Take it again with a smaller size."),
        413,
    ),
    "face_too_small": Message(
        N_("The photograph is too small"),
        N_("Each side needs at least %(least)s pixels, or the face cannot be recognised."),
        N_("Take it again, closer."),
        422,
    ),
    "face_not_understood": Message(
        N_("This is not a photograph"),
        N_("PNG and JPEG pictures are understood; the file may be damaged."),
        N_("Take it again, or choose another file."),
        422,
    ),
    "face_missing": Message(
        N_("There is no photograph"),
        N_("None was taken of this person."),
        N_("Take one at the next visit."),
        404,
    ),
}

_ORDERS = {
    "order_not_written": Message(
        N_("The prescription was not written"),
        N_("Reasons against it, by the rules: %(count)s."),
        N_("Look at each reason. Some can be answered by signing them; the others need another dose or day."),
    ),
    "order_exists": Message(
        N_("There is a prescription for this dose of the day already"),
        N_("One dose of the day has one prescription."),
        N_("Change that one instead of writing another."),
    ),
    "order_unknown": Message(
        N_("There is no such prescription"),
        N_("Nothing was written under this number."),
        N_("Go back to the person's page."),
        404,
    ),
    "order_ended_already": Message(
        N_("This prescription is over already"),
        N_("It was changed or stopped, perhaps a moment ago by a colleague."),
        N_("Reload the page to see what holds now."),
    ),
    "elsewhere_too_old": Message(
        N_("This dose is too long ago to go on from"),
        N_("After so many days without treatment it no longer says what the body is used to."),
        N_("Leave the dose elsewhere out, and write an induction."),
        422,
    ),
    "order_starts_in_past": Message(
        N_("A prescription begins today or later"),
        N_("What was given before today was given under another order, or none."),
        N_("Choose today or a later day."),
        422,
    ),
    "order_ends_before_start": Message(
        N_("It would end before it begins"),
        N_("The last day lies before the first."),
        N_("Correct one of the two days."),
        422,
    ),
    "medicine_unknown": Message(
        N_("This medicine is not in the catalogue"),
        N_("Only medicines with a product in the catalogue can be ordered."),
        N_("Choose one from the list."),
        422,
    ),
}

_HOLDS = {
    "hold_unknown": Message(
        N_("There is no such hold"),
        N_("Nothing was put on hold under this number."),
        N_("Go back to the person's page."),
        404,
    ),
    "hold_released_already": Message(
        N_("This hold was released already"),
        N_("A colleague may have done so a moment ago."),
        N_("Nothing more is needed. Reload the page."),
    ),
    "hold_needs_day": Message(
        N_("Say when the person should come back"),
        N_("Nobody is sent away without a day and a number to call."),
        N_("Choose the day."),
        422,
    ),
    "hold_day_in_past": Message(
        N_("The day to come back lies in the past"),
        N_("It is today or later."),
        N_("Choose another day."),
        422,
    ),
    "signoff_day": Message(
        N_("A sign-off is for today or one of the next 7 days"),
        N_("Things change; an answer given for later might be wrong by then."),
        N_("Choose another day."),
        422,
    ),
    "signoff_above_order": Message(
        N_("This is more than the order"),
        N_("A sign-off can lower a dose for a day, never raise it; without an order there is nothing to give."),
        N_("Enter a smaller dose, or change the prescription."),
        422,
    ),
}

_POLICIES = {
    "policy_value_unknown": Message(
        N_("There is nothing to approve here"),
        N_("This value is not in force at this site, or it needs no approval."),
        N_("Reload the page: the policy may have changed."),
        404,
    ),
}

_FIELDS = {
    "field_needed": Message(
        N_("This is needed"), N_("It was left empty."), N_("Fill it in."), 422
    ),
    "not_a_choice": Message(
        N_("This is not one of the choices"),
        N_("Only what is on the list is understood."),
        N_("Choose from the list."),
        422,
    ),
    "amount_positive": Message(
        N_("The amount is more than nothing"),
        N_("Nothing, or less than nothing, was entered."),
        N_("Enter the amount."),
        422,
    ),
}

MESSAGES = _PATIENTS | _ORDERS | _HOLDS | _POLICIES | _FIELDS
