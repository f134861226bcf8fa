"""A site's settings for guests, and the desks that answer requests."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "guest_settings_changed": Message(
        N_("Somebody changed these settings meanwhile"),
        N_("What you sent was made from an older page. Nothing was saved."),
        N_("Look at the settings as they are now and change them again."),
    ),
    "guest_days_booked": Message(
        N_("Guests are booked on days that would close"),
        N_("Days: %(days)s. Nothing was saved."),
        N_("Declare a closure so that each of them gets another place, or save all the same: their bookings stand."),
    ),
    "guest_day_of_closure": Message(
        N_("A closure set this day"),
        N_("%(day)s was closed by a declared closure and opens again when that is undone."),
        N_("Open the closure and undo it there."),
    ),
    "guest_day_not_settable": Message(
        N_("This day cannot be set"),
        N_("Days are set from today until two years ahead."),
        N_("Choose a day in that time."),
        400,
    ),
    "guest_time_wrong": Message(
        N_("Not a time of the day"),
        N_("A time is written with four digits, as 07:30."),
        N_("Write hours and minutes, as 07:30."),
        400,
    ),
    "guest_times_order": Message(
        N_("These times are not in order"),
        N_("A day opens, then comes the last dose, then it closes."),
        N_("Correct the times."),
        400,
    ),
    "guest_places_wrong": Message(
        N_("Not a number of places"),
        N_("A day has between 0 and 500 places for guests."),
        N_("Write a whole number."),
        400,
    ),
    "guest_at_once_wrong": Message(
        N_("More at once than there are places"),
        N_("Of a day's places, some or all are given without asking."),
        N_("Write a whole number that is no larger than the places."),
        400,
    ),
    "guest_point_wrong": Message(
        N_("Not a place on the Earth"),
        N_("Latitude lies between -90 and 90 degrees, longitude between -180 and 180."),
        N_("Write decimal degrees, as 23.9769."),
        400,
    ),
    "guest_address_wrong": Message(
        N_("The address is missing or too long"),
        N_("It is shown to guests and printed on passes: 1 to 120 characters."),
        N_("Write the address."),
        400,
    ),
    "guest_site_incomplete": Message(
        N_("The site is not ready for guests"),
        N_("It is listed only once it has said where it is and has hours on at least one day."),
        N_("Fill in place and hours first."),
    ),
    "guest_people_moved": Message(
        N_("Requests changed while this was written"),
        N_("Other people asked for or changed places at this site at the same moment. Nothing was saved."),
        N_("Send it again."),
    ),
    "guest_figure_unknown": Message(
        N_("There is no such figure"),
        N_("The address names none of the figures that are kept."),
        N_("Choose one of the list."),
        404,
    ),
    "guest_figure_span": Message(
        N_("This time cannot be asked for"),
        N_("The last day lies before the first, or more than two years after it."),
        N_("Choose a shorter time."),
        400,
    ),
    "guest_figure_whole_months": Message(
        N_("Only whole months that are over"),
        N_("Two looks at parts of a month could be subtracted from each other, and show a single person."),
        N_("Choose the first day of a month and the last day of a month before this one."),
        400,
    ),
}
