"""Guest dosing in words: what stands against a request (`ost.rules.guest_reasons`), and how a step may be answered.

The person reading may be a patient on a phone, a nurse, or a prescriber.
"""

from ost.errors import N_, Message

_PERSON = {
    "guest_missed_days": Message(
        N_("Too many days were missed"),
        N_("%(days)s days without a dose; the last one was on %(last_swallow_on)s. The next dose is the home site's."),
        N_("Go to the home site first, or call it. After that, ask again."),
    ),
    "guest_not_maintenance": Message(
        N_("The dose is still being set"),
        N_("The order is in the phase %(phase)s."),
        N_("The home prescriber decides; nothing is approved by rule."),
    ),
    "guest_dose_changed": Message(
        N_("The dose changed lately"),
        N_("It changed on %(changed_on)s, less than %(limit_days)s days ago."),
        N_("The home prescriber decides; nothing is approved by rule."),
    ),
    "guest_no_order": Message(
        N_("No prescription covers a day"),
        N_("There is none for %(day)s."),
        N_("Ask the home prescriber to renew the prescription, then ask again."),
    ),
    "guest_not_due": Message(
        N_("No dose is due on a day"),
        N_("The prescription has no dose on %(day)s."),
        N_("Leave this day out."),
    ),
    "guest_order_ends_soon": Message(
        N_("The prescription ends soon after"),
        N_("Its last day is %(ends_on)s, %(days)s days after the last day asked for."),
        N_("Renew it before the person comes home."),
    ),
    "guest_consent_missing": Message(
        N_("The consent is missing or too short"),
        N_("None that reaches this site lasts until %(last_day)s."),
        N_("Give it together with the request, until the last day or later."),
    ),
}

_DAYS = {
    "guest_day_past": Message(
        N_("A day is past"), N_("%(day)s lies before today."), N_("Choose other days.")
    ),
    "guest_day_too_far": Message(
        N_("A day is too far ahead"),
        N_("%(day)s is more than %(limit_days)s days from today."),
        N_("Ask again when it is nearer."),
    ),
    "guest_booked_elsewhere": Message(
        N_("There is a place for this day already"),
        N_("On %(day)s, at %(site)s. A person has one site a day."),
        N_("Change that booking, or leave this day out."),
    ),
    "guest_dosed_already": Message(
        N_("The dose of this day was given"),
        N_("On %(day)s, at %(site)s."),
        N_("Leave this day out."),
    ),
    "guest_long_stay": Message(
        N_("This is a long stay"),
        N_("%(days)s days in a row; up to %(limit_days)s are usual."),
        N_("The home prescriber decides. A transfer to that site may serve the person better."),
    ),
    "guest_short_notice": Message(
        N_("Short notice"),
        N_("%(hours)s hours until the site opens; %(limit_h)s are aimed at."),
        N_("Nothing stands against it. A call may help where an answer is waited for."),
    ),
}

_PLACE = {
    "guest_own_site": Message(
        N_("This is the person's own site"),
        N_("%(site)s is their home site."),
        N_("No request is needed there."),
    ),
    "guest_site_not_open_to_guests": Message(
        N_("This site takes no guests"),
        N_("%(site)s is not on the list of guest sites now."),
        N_("Choose another site."),
    ),
    "guest_site_without_medicine": Message(
        N_("This site does not give %(medicine)s"),
        N_("%(site)s is not designated for it."),
        N_("Choose another site."),
    ),
    "guest_day_closed": Message(
        N_("The site is closed on a day"),
        N_("%(site)s gives no doses on %(day)s."),
        N_("Choose another site for this day, or leave it out."),
    ),
    "guest_day_full": Message(
        N_("No place is left on a day"),
        N_("%(site)s has no place for a guest on %(day)s."),
        N_("Choose another site for this day, or leave it out."),
    ),
    "guest_day_too_late": Message(
        N_("Too late for today"),
        N_("The last dose at %(site)s on %(day)s is at %(last_dose)s."),
        N_("Choose another site or begin tomorrow."),
    ),
}

_ASKING = {
    "guest_not_asked": Message(
        N_("This could not be asked for"),
        N_("%(count)s reasons stand against it."),
        N_("Read the reasons; another site or other days may be possible."),
    ),
    "guest_not_moved": Message(
        N_("This cannot be done now"),
        N_("Something changed since it was asked for. %(count)s reasons stand against it."),
        N_("Read the reasons. When they are settled, try again."),
    ),
    "guest_id_used": Message(
        N_("This request was sent before, with other content"),
        N_("An id is good for one request only."),
        N_("Open the form again and send it once."),
    ),
    "guest_days_number": Message(
        N_("Choose the days"),
        N_("A request has between one day and 62 days."),
        N_("Choose at least one day, or send two requests."),
        400,
    ),
    "guest_place_gone": Message(
        N_("A place has just gone"),
        N_("No place is left on %(days)s."),
        N_("Choose another site or other days."),
    ),
    "guest_day_taken": Message(
        N_("There is a place for a day already"),
        N_("On %(days)s. A person has one site a day."),
        N_("Change that booking, or leave the day out."),
    ),
}

_STEPS = {
    "guest_request_unknown": Message(
        N_("This request is not known"),
        N_("No request has this id, or it is none of yours."),
        N_("Go back to the list."),
        404,
    ),
    "guest_step_not_possible": Message(
        N_("This step is not possible any more"),
        N_("The request stands at “%(state)s”; from there nobody can do “%(action)s”."),
        N_("Open the request again and see what happened."),
    ),
    "guest_changed_since_shown": Message(
        N_("The request changed since it was shown"),
        N_("Somebody took a step in the meantime."),
        N_("Look at it again, then decide."),
    ),
    "guest_reason_needed": Message(
        N_("A reason is needed"),
        N_("The person is told why, and what else is possible."),
        N_("Choose one of the list."),
        400,
    ),
    "guest_text_needed": Message(
        N_("Write something"),
        N_("A question or an answer has between 1 and 500 characters."),
        N_("Write it, shortly."),
        400,
    ),
    "guest_too_early": Message(
        N_("The home site still has time to answer"),
        N_("A prescriber of the guest site may order %(minutes)s minutes after it was asked."),
        N_("Wait, or call the home site."),
    ),
    "guest_look_first": Message(
        N_("Look at the person's record first"),
        N_("Whoever orders in the home site's place has opened the request within the last half hour."),
        N_("Open the request, read the facts, then decide."),
    ),
    "guest_day_not_booked": Message(
        N_("This day is not booked"),
        N_("It is not one of the days that stand."),
        N_("Open the request again."),
    ),
    "guest_day_used": Message(
        N_("A dose was prepared on this day"),
        N_("On %(day)s; what happened stays."),
        N_("Only days without a dose can be given up."),
    ),
    "guest_day_over": Message(
        N_("This day is past"),
        N_("What was booked and not used stays as it is."),
        N_("Choose a day from today on."),
    ),
    "guest_offer_same_site": Message(
        N_("This is no other place"),
        N_("The person asked for this site, or it is their own."),
        N_("Offer another site."),
        400,
    ),
}

_BEFOREHAND = {
    "guest_standing_unknown": Message(
        N_("This authorisation is not known"),
        N_("No standing authorisation has this id."),
        N_("Open the person's page again."),
        404,
    ),
    "guest_standing_nowhere": Message(
        N_("Say where it is good"),
        N_("A distance around home, sites, a route or anywhere; at least one."),
        N_("Choose one of them."),
        400,
    ),
    "guest_number_range": Message(
        N_("This number is out of range"),
        N_("Days a year: 1 to 366. Distances: 1 m to 1,000 km."),
        N_("Correct it."),
        400,
    ),
    "guest_until_wrong": Message(
        N_("This end is not possible"),
        N_("It is past, before the beginning, or later than the longest term the policy allows."),
        N_("Choose another one."),
        400,
    ),
    "guest_on_call_unknown": Message(
        N_("This entry is not known"),
        N_("Nobody is on call under this id."),
        N_("Open the list again."),
        404,
    ),
    "guest_on_call_no_prescriber": Message(
        N_("This person may approve nowhere"),
        N_("On call is somebody who is a prescriber at some site."),
        N_("Choose a prescriber."),
        400,
    ),
    "guest_nothing_to_sign": Message(
        N_("There is no order to sign"),
        N_("No prescription of this person is in force."),
        N_("Ask the home site."),
    ),
    "guest_notice_unknown": Message(
        N_("This notice is not known"),
        N_("No notice has this id at your site."),
        N_("Go back to the list."),
        404,
    ),
}

MESSAGES = _PERSON | _DAYS | _PLACE | _ASKING | _STEPS | _BEFOREHAND
