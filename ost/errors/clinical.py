"""What the rules say, in words: for every code of `ost.rules.reasons`, what happened, why, and what to do now.

Placeholders are those of the reason's data, each once at least; pages show them
by their kind. The person reading stands at a counter with somebody waiting.
"""

from ost.errors import N_, Message
from ost.errors.clinical_guest import GUEST

_PERSON_AND_PLACE = {
    "patient_not_active": Message(
        N_("This person is not in treatment here now"),
        N_("The record is not active."),
        N_("Give nothing. Ask the prescriber whether treatment begins again."),
    ),
    "site_not_active": Message(
        N_("This site gives no doses now"),
        N_("%(site)s is not active in the network."),
        N_("Send the person to an open site and tell the person in charge."),
    ),
    "site_not_allowed": Message(
        N_("The prescription does not cover this site"),
        N_("It may be dispensed elsewhere, but not at %(site)s."),
        N_("Call the home site; its prescriber can add this site or approve a guest dose."),
    ),
    "medicine_not_at_site": Message(
        N_("This site is not designated for %(medicine)s"),
        N_("%(site)s gives only the medicines it is designated for."),
        N_("Send the person to a site that gives it, or call the prescriber."),
    ),
    "medicine_without_rules": Message(
        N_("There are no dosing rules for %(medicine)s"),
        N_("Without rules in the policy %(policy)s no dose of it is decided."),
        N_("Give nothing through this program. Call the prescriber."),
    ),
}

_ORDER = {
    "no_order": Message(
        N_("No prescription"),
        N_("There is no prescription for dose %(slot)s of the day."),
        N_("Call the prescriber. Let the person keep their place."),
    ),
    "order_not_started": Message(
        N_("The prescription has not begun"),
        N_("It begins on %(starts_on)s."),
        N_("Call the prescriber if the person needs a dose today."),
    ),
    "order_ended": Message(
        N_("The prescription has ended"),
        N_("Its last day was %(ends_on)s."),
        N_("Call the prescriber for a new one. Let the person keep their place."),
    ),
    "order_stopped": Message(
        N_("The prescription was stopped"),
        N_("The prescriber stopped it at %(stopped_at)s."),
        N_("Give nothing. Call the prescriber."),
    ),
    "not_due_today": Message(
        N_("No dose is due today"),
        N_("The prescription names other days; the next is %(next_due_on)s."),
        N_("Tell the person when to come. Call the prescriber if that cannot be right."),
    ),
}

_SLOT_AND_CLOCK = {
    "already_dosed_today": Message(
        N_("Already dosed today"),
        N_("This dose was given at %(site)s at %(at)s."),
        N_("Give nothing more. If the person says otherwise, call that site before anything else."),
    ),
    "attempt_unresolved": Message(
        N_("A dose of today has no outcome yet"),
        N_("It was prepared at %(site)s at %(at)s, and nobody has said whether it was swallowed."),
        N_("Give nothing. Find out what happened and record it, with a witness."),
    ),
    "slot_used": Message(
        N_("Today's dose was already prepared"),
        N_("At %(site)s at %(at)s; it ended as: %(outcome)s."),
        N_("Only the prescriber can order a replacement. Call the prescriber."),
    ),
    "unresolved_earlier": Message(
        N_("An earlier dose has no outcome"),
        N_(
            "The dose of %(day)s at %(site)s: nobody has said whether it was swallowed. The stricter reading is used."
        ),
        N_("Ask the person what happened, and record it with a witness."),
    ),
    "replacement_dose": Message(
        N_("Replacement ordered"),
        N_("The prescriber ordered %(dose_mg)s mg in place of a dose of today."),
        N_("Give this amount and no more."),
    ),
    "clock_set_back": Message(
        N_("A clock is wrong"),
        N_("A dose is on record at %(latest_at)s, which is later than now."),
        N_("Give nothing. Have the clock of this machine set right, then try again."),
    ),
    "day_not_today": Message(
        N_("The day of this dose is not today"),
        N_("The record speaks of %(day)s."),
        N_("Give nothing. Have the date of this machine checked, then try again."),
    ),
    "gap_short": Message(
        N_("Little time since the last dose"),
        N_("About %(hours)s h; under %(limit_h)s h needs a reason. Without one, wait until %(earliest_at)s."),
        N_("Look at the person, then choose the reason."),
    ),
    "gap_very_short": Message(
        N_("Too little time since the last dose"),
        N_("About %(hours)s h; under %(limit_h)s h needs the prescriber. That ends at %(earliest_at)s."),
        N_("Ask the person to come back then, or call the prescriber for a sign-off."),
    ),
    "gap_short_of_order": Message(
        N_("Too little time for this prescription"),
        N_("About %(hours)s h; the prescription asks for %(limit_h)s h, reached at %(earliest_at)s."),
        N_("Ask the person to come back then, or call the prescriber for a sign-off."),
    ),
}

_MISSED_DAYS = {
    "missed_days_note": Message(
        N_("%(days)s missed days"),
        N_("Last confirmed dose: %(last_swallow_on)s. The usual dose, if there is no sign of intoxication."),
        N_("Ask how the person is, and look twice before pouring."),
    ),
    "missed_days_early": Message(
        N_("%(days)s missed days in induction or after an increase"),
        N_("Last confirmed dose: %(last_swallow_on)s. At this time tolerance is lost sooner."),
        N_("Call the prescriber for a sign-off before any dose."),
    ),
    "missed_days_prescriber": Message(
        N_("%(days)s missed days: the prescriber decides"),
        N_("Last confirmed dose: %(last_swallow_on)s. Tolerance may be lower."),
        N_("Call the prescriber for a sign-off and the dose."),
    ),
    "missed_days_half_dose": Message(
        N_("%(days)s missed days: half the dose, with the prescriber"),
        N_("Last confirmed dose: %(last_swallow_on)s. Tolerance may be lower; proposed: %(proposed_mg)s mg."),
        N_("Discuss it with the prescriber, who signs off the dose."),
    ),
    "missed_days_see_prescriber": Message(
        N_("%(days)s missed days: see the prescriber"),
        N_(
            "Last confirmed dose: %(last_swallow_on)s. Tolerance is likely lower; proposed: %(proposed_mg)s mg."
        ),
        N_("The prescriber sees the person and signs off the dose."),
    ),
    "new_induction_needed": Message(
        N_("%(days)s missed days: a new induction"),
        N_("Last confirmed dose: %(last_swallow_on)s. The usual dose could now be dangerous."),
        N_("Give nothing. The prescriber sees the person and writes a new induction prescription."),
    ),
    "treatment_gap_review": Message(
        N_("Review the treatment"),
        N_(
            "%(days)s days without a confirmed dose, since %(last_swallow_on)s. "
            "From %(limit_days)s days on treatment is deemed ended; it may begin again."
        ),
        N_(
            "Propose a review with the prescriber and the case manager. Nobody is discharged by this program."
        ),
    ),
    "vomited_before": Message(
        N_("The last dose was vomited"),
        N_("On %(day)s, minutes after the dose: %(minutes)s."),
        N_("Ask how the person is. Nothing is replaced by itself; the prescriber decides."),
    ),
}

_SIZE = {
    "first_dose_watch": Message(
        N_("First dose: watch the person afterwards"),
        N_("The effect grows over hours; watch for %(minutes)s minutes."),
        N_("Ask the person to stay, and call for help at the first sign of drowsiness."),
    ),
    "first_dose_above_usual": Message(
        N_("A high first dose"),
        N_("%(dose_mg)s mg; a first dose above %(limit_mg)s mg needs a sign-off."),
        N_("Call the prescriber."),
    ),
    "first_dose_low_tolerance": Message(
        N_("A high first dose for low tolerance"),
        N_(
            "%(dose_mg)s mg; this person is marked for low tolerance, and above %(limit_mg)s mg needs a sign-off."
        ),
        N_("Call the prescriber."),
    ),
    "first_dose_above_max": Message(
        N_("Too much for a first dose"),
        N_("%(dose_mg)s mg; a first dose is never above %(limit_mg)s mg."),
        N_("Give nothing. The prescriber writes a lower prescription."),
    ),
    "first_day_above_max": Message(
        N_("Too much for a first day"),
        N_("With this dose %(total_mg)s mg; a first day is never above %(limit_mg)s mg."),
        N_("Give nothing more today. Call the prescriber."),
    ),
    "step_too_large": Message(
        N_("A large increase"),
        N_("From %(from_mg)s to %(to_mg)s mg; more than %(limit_mg)s mg at once needs a sign-off."),
        N_("Call the prescriber before pouring: is the number right?"),
    ),
    "step_too_soon": Message(
        N_("An early increase"),
        N_(
            "Days since the increase of %(last_increase_on)s: %(days)s. Under %(limit_days)s days needs a sign-off."
        ),
        N_("Call the prescriber."),
    ),
    "week_increase_too_large": Message(
        N_("A large increase within a week"),
        N_("From %(from_mg)s to %(to_mg)s mg; more than %(limit_mg)s mg in 7 days needs a sign-off."),
        N_("Call the prescriber."),
    ),
    "day_above_max": Message(
        N_("Above the ceiling of a day"),
        N_("With this dose %(total_mg)s mg; the ceiling is %(limit_mg)s mg."),
        N_("Give nothing more today. Call the prescriber."),
    ),
    "second_look": Message(
        N_("A high dose"),
        N_("%(dose_mg)s mg today, above %(limit_mg)s mg."),
        N_("Look at the dose a second time before pouring."),
    ),
    "dose_lowered": Message(
        N_("Less than prescribed"),
        N_("%(dose_mg)s mg today in place of %(ordered_mg)s mg."),
        N_("Tell the person before pouring, and why."),
    ),
    "signed_off": Message(
        N_("Signed off by: %(by)s"),
        N_("%(answers)s: at most %(dose_mg)s mg today."),
        N_("Go on with the dose shown."),
    ),
}

_STATE = {
    "intoxication_not_checked": Message(
        N_("Signs of intoxication: not asked yet"),
        N_("It is looked at before every dose."),
        N_("Look at the person and tap what you see."),
    ),
    "intoxicated": Message(
        N_("Signs of intoxication"),
        N_("Seen: %(signs)s. A dose now could stop the breathing."),
        N_("Give nothing. Keep the person in sight and call the prescriber."),
    ),
    "on_hold": Message(
        N_("On hold"),
        N_("Since %(since)s: %(reason_code)s."),
        N_(
            "Tell the person: come back on %(come_back_on)s, call %(call)s. "
            "If one of these is missing, ask the prescriber. They keep their place."
        ),
    ),
    "hold_note": Message(
        N_("A remark on the record"),
        N_("Since %(since)s: %(reason_code)s. It does not hold the dose."),
        N_("Go on. Settle it after the dose."),
    ),
    "exposure_uncleared": Message(
        N_("Swallowed something not meant for them, or too much"),
        N_("On %(day)s: %(amount_mg)s mg. No prescriber has reviewed it."),
        N_("Give nothing. Stay with the person, have naloxone at hand, call the prescriber."),
    ),
}

_BOTTLE = {
    "bottle_none": Message(
        N_("No open bottle"),
        N_("There is no open bottle of %(medicine)s at this counter."),
        N_("Open one and scan it."),
    ),
    "bottle_not_open": Message(
        N_("This bottle is not open"),
        N_("Bottle %(bottle)s: %(state)s."),
        N_("Scan the bottle in front of you, or open this one first."),
    ),
    "bottle_other_site": Message(
        N_("A bottle of another site"),
        N_("Bottle %(bottle)s belongs to %(site)s and its register."),
        N_("Set it aside, use a bottle of this site, and tell the controlled-drug manager."),
    ),
    "bottle_wrong_medicine": Message(
        N_("The wrong medicine"),
        N_("Bottle %(bottle)s holds %(found)s; the prescription is for %(medicine)s."),
        N_("Put it away. Take and scan the right bottle."),
    ),
    "bottle_expired": Message(
        N_("This bottle has expired"),
        N_("Bottle %(bottle)s expired on %(expires_on)s."),
        N_("Set it aside for the controlled-drug manager and open another."),
    ),
    "bottle_not_understood": Message(
        N_("The strength of this bottle is not known"),
        N_("The record of bottle %(bottle)s is not complete."),
        N_("Use another bottle and tell the controlled-drug manager."),
    ),
    "bottle_not_enough": Message(
        N_("Not enough left in this bottle"),
        N_("Bottle %(bottle)s holds %(left_ml)s mL; this dose needs %(needed_ml)s mL."),
        N_("Open another bottle and scan it. Never pour one dose from two."),
    ),
    "bottle_not_enough_tablets": Message(
        N_("Not enough left in this bottle"),
        N_("Tablets in bottle %(bottle)s: %(left)s; this dose needs %(needed)s."),
        N_("Open another bottle and scan it. Never take one dose from two."),
    ),
    "not_measurable": Message(
        N_("This dose cannot be measured from this bottle"),
        N_("%(dose_mg)s mg is no exact amount at a strength of %(strength_mg)s mg."),
        N_("Use another strength, or call the prescriber for a dose that can be measured."),
    ),
    "two_strengths_open": Message(
        N_("Two strengths are open"),
        N_("Bottle %(bottle)s: %(strength_mg)s mg. Also open here, in mg: %(others_mg)s."),
        N_("Scan the bottle you pour from and read its strength aloud."),
    ),
}

_LAST_LINE = {
    "facts_not_understood": Message(
        N_("The record cannot be read"),
        N_("Something in it makes no sense: %(what)s."),
        N_("Give nothing through this program. Call the prescriber and report this text."),
    ),
    "not_decided": Message(
        N_("No decision"),
        N_("No rule allowed this dose."),
        N_("Give nothing. Call the prescriber and report this text."),
    ),
}

_INPUT = {
    "amount_not_understood": Message(
        N_("This is not an amount"),
        N_("Typed: %(entered)s"),
        N_("Write digits and a point, for example 60 or 0.5."),
        422,
    ),
    "amount_too_precise": Message(
        N_("Too many decimals"),
        N_("Typed: %(entered)s. At most three are kept."),
        N_("Check the number and write it again."),
        422,
    ),
    "date_not_understood": Message(
        N_("This is not a date"),
        N_("Typed: %(entered)s"),
        N_("Write 民國68年5月3日, 68/5/3, 0680503 or 1979-05-03."),
        422,
    ),
    "date_impossible": Message(
        N_("There is no such day"),
        N_("Typed: %(entered)s"),
        N_("Check year, month and day."),
        422,
    ),
    "national_id_shape": Message(
        N_("This is not a national ID or resident number"),
        N_("It has ten characters: a letter, then a digit or a letter, then eight digits."),
        N_("Read it again from the card."),
        422,
    ),
    "national_id_check_digit": Message(
        N_("A digit of the ID number is wrong"),
        N_("Its last digit does not fit the others."),
        N_("Read it again from the card, digit by digit."),
        422,
    ),
}

MESSAGES: dict[str, Message] = {
    **_PERSON_AND_PLACE,
    **GUEST,
    **_ORDER,
    **_SLOT_AND_CLOCK,
    **_MISSED_DAYS,
    **_SIZE,
    **_STATE,
    **_BOTTLE,
    **_LAST_LINE,
    **_INPUT,
}
