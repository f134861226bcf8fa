"""Closures: declaring them, taking them back, and the rosters that leave the building."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "closure_days_wrong": Message(
        N_("These days cannot be closed"),
        N_("A closure names at least one day and at most 31, from today on and within the next 60 days."),
        N_("Choose other days; a longer closure is declared again."),
        400,
    ),
    "closure_times_order": Message(
        N_("It opens again before it closes"),
        N_("The second time must be later than the first."),
        N_("Correct the times, or leave both empty for the whole day."),
        400,
    ),
    "closure_changed": Message(
        N_("Something changed since you looked"),
        N_("%(count)s people and days are no longer as the preview showed them. Nothing was written."),
        N_("Look at the new preview and confirm that one."),
    ),
    "closure_unknown": Message(
        N_("This closure is not known"),
        N_("No closure has this id, or it is outside your scope."),
        N_("Go back to the list."),
        404,
    ),
    "closure_over": Message(
        N_("This closure is over"),
        N_("Its last day is past: there is nothing left to take back."),
        N_("Leave it as it is. Who was not dosed stands on its board."),
    ),
    "closure_moving": Message(
        N_("Somebody is being moved by this closure just now"),
        N_("A person came into it while you were taking it back; nothing was changed."),
        N_("Press once more."),
    ),
    "closure_percent_wrong": Message(
        N_("This share is not possible"),
        N_("Extra places are given in whole percent of the published ones, from 0 to 300."),
        N_("Enter a number in that range, or leave it empty for the policy's figure."),
        400,
    ),
    "roster_unreadable": Message(
        N_("This is not the code of a roster"),
        N_("A roster's code begins with OSTR1 and is complete only as a whole."),
        N_("Scan the code on the paper once more, or type it without gaps."),
        400,
    ),
    "roster_forged": Message(
        N_("This roster was not signed here"),
        N_("Its signature does not hold: the code was altered, or another house made it."),
        N_("Do not dose by this paper. Print the roster again from the closure's page, or ask the site that sent it."),
    ),
    "roster_unknown": Message(
        N_("This roster is not on record"),
        N_("The signature holds, but no such roster is kept here: the record may be an older one."),
        N_("Do not dose by this paper. Print the roster again from the closure's page."),
        404,
    ),
    "roster_nobody": Message(
        N_("There is nobody on this roster"),
        N_("The closure sends nobody from or to this site, or every place was given back."),
        N_("Choose another site on the closure's page."),
        404,
    ),
}
