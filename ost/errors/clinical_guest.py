"""What the rules say of guest dosing at the counter; part of `ost.errors.clinical`."""

from ost.errors import N_, Message

GUEST = {
    "guest_day_elsewhere": Message(
        N_("Today this person doses at %(site)s"),
        N_("It is day %(number)s of %(days)s of their guest dosing there; one site doses a person on one day."),
        N_("Send the person there. The home site can take the day back, if nothing was prepared there yet."),
    ),
    "guest_paused": Message(
        N_("Guest dosing is paused"),
        N_("Something stands against it: %(why)s."),
        N_("Give nothing. Call the home site; the places of the coming days stay kept."),
    ),
    "guest_permit_ended": Message(
        N_("Guest dosing here has ended"),
        N_("The permit for this site is no longer in force."),
        N_("Give nothing. Send the person to their home site, or help them ask again."),
    ),
    "guest_not_today": Message(
        N_("Today is not a day of this guest permit"),
        N_("It runs from %(first_day)s to %(last_day)s, and today is none of its days."),
        N_("Ask the home site; a day can be added in one step while there is a place."),
    ),
    "guest_consent_ended": Message(
        N_("The patient no longer agrees to guest dosing here"),
        N_("The consent it rested on was taken back or has run out."),
        N_("Give nothing. The person can agree again, on their own page or at their home site."),
    ),
    "guest_site_not_listed": Message(
        N_("This site takes no guests now"),
        N_("%(site)s is no longer listed for guest dosing."),
        N_("Call the coordination centre; it finds another site for today."),
    ),
    "guest_order_not_covered": Message(
        N_("The permit does not name this prescription"),
        N_("It was given for another prescription, and this one did not come of it by a change."),
        N_("Give nothing. Call the home prescriber."),
    ),
    "guest_not_countersigned": Message(
        N_("The prescription is not signed here yet"),
        N_("A prescriber of %(site)s signs it before the first guest dose, and again after a change."),
        N_("Call the prescriber of this site; once it is signed, the dose can be given."),
    ),
}
