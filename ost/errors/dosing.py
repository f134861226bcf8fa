"""What a dose's promise, outcome and what comes after can be answered with, beside the rules."""

from ost.errors import N_, Message

MESSAGES = {
    "dose_refused": Message(
        N_("This dose must not be given now"),
        N_("Reasons against it, or to be known first: %(count)s."),
        N_("Read the reasons; each says what to do now."),
    ),
    "changed_since_shown": Message(
        N_("Something changed since the card was shown"),
        N_("The card showed another amount; now it is %(dose_ug)s µg in %(volume_ul)s µL."),
        N_("Look at the card again and prepare what it shows now."),
    ),
    "dose_id_reused": Message(
        N_("This dose was already answered with other content"),
        N_("A dose number stands for one request only."),
        N_("Go back to the card; it brings a new number."),
    ),
    "dose_unknown": Message(
        N_("There is no such dose"),
        N_("Nothing was promised or refused under this number."),
        N_("Go back to the queue and open the person's card."),
        404,
    ),
    "patient_unknown": Message(
        N_("There is no such patient"),
        N_("Nobody is registered under this number."),
        N_("Check the number, or look the person up by name."),
        404,
    ),
    "site_unknown": Message(
        N_("There is no such site"),
        N_("No site of the network has this code."),
        N_("Check the site's code."),
        404,
    ),
    "counter_unknown": Message(
        N_("There is no such counter"),
        N_("No counter of the network has this code."),
        N_("Choose a counter from the list."),
        404,
    ),
    "identity_path_unknown": Message(
        N_("This way to confirm identity is not known"),
        N_("It is a finger, a card, or the number with the face."),
        N_("Choose one of the ways offered."),
        422,
    ),
    "identity_capture_missing": Message(
        N_("No touch was recorded for this person"),
        N_("The request says the finger confirmed the person, but names no capture."),
        N_("Ask for a touch, or use the card or the face instead."),
    ),
    "identity_capture_unknown": Message(
        N_("This touch does not belong here"),
        N_("No capture of this site named this person."),
        N_("Ask for a touch again, or use the card or the face instead."),
    ),
    "identity_other_person": Message(
        N_("The touch was another person's"),
        N_("The finger belongs to somebody else than the card shows."),
        N_("Stop. Look at both faces and start again with the right person."),
    ),
    "outcome_unknown": Message(
        N_("This outcome is not known"),
        N_("A dose ends swallowed, partly, not given, spat out, swallowed by another, or too much."),
        N_("Choose one of the outcomes offered."),
        422,
    ),
    "outcome_already_recorded": Message(
        N_("This dose already has an outcome"),
        N_("It was recorded as: %(outcome)s. A dose ends once."),
        N_("If that is wrong, void it with a second person, or add what was seen."),
    ),
    "outcome_needed_first": Message(
        N_("This dose has no outcome yet"),
        N_("Nobody has said what happened with it."),
        N_("Record the outcome first, with a witness if it is late."),
    ),
    "swallowed_is_not_the_dose": Message(
        N_("The amount is not the prepared dose"),
        N_("“Swallowed” means the whole dose of %(dose_ug)s µg."),
        N_("Choose “partly” or “more than ordered” and enter the amount."),
        422,
    ),
    "partly_needs_amount": Message(
        N_("The amount swallowed is missing or impossible"),
        N_("It must be more than nothing and less than the dose of %(dose_ug)s µg."),
        N_("Enter how much was swallowed."),
        422,
    ),
    "not_given_is_nothing": Message(
        N_("Not given means nothing was swallowed"),
        N_("An amount was entered for a dose that was not given."),
        N_("Leave the amount empty, or choose another outcome."),
        422,
    ),
    "too_much_needs_amount": Message(
        N_("The amount swallowed is missing"),
        N_("“More than ordered” needs an amount above the dose of %(dose_ug)s µg."),
        N_("Enter how much was swallowed, then follow the emergency card."),
        422,
    ),
    "disposition_needed": Message(
        N_("Where is the rest?"),
        N_("What was not swallowed went back unpoured, was spilled, or is residue."),
        N_("Choose where it is."),
        422,
    ),
    "returned_after_pouring": Message(
        N_("What was poured does not go back into the bottle"),
        N_("The person had the cup in their hand."),
        N_("Choose spilled or residue."),
        422,
    ),
    "nothing_left_over": Message(
        N_("Nothing is left over"),
        N_("The whole dose was swallowed, so nothing was returned, spilled or kept."),
        N_("Leave the rest empty, or choose another outcome."),
        422,
    ),
    "given_at_impossible": Message(
        N_("This time cannot be right"),
        N_("The dose was given after it was prepared, not in the future, and not too long ago."),
        N_("Correct the time."),
        422,
    ),
    "witness_needed": Message(
        N_("A second person must confirm this"),
        N_("More than %(minutes)s minutes have passed since the dose was prepared."),
        N_("Ask a colleague to sign in as witness."),
    ),
    "observation_unknown": Message(
        N_("This observation is not known"),
        N_("Only what is on the list can be recorded."),
        N_("Choose one from the list, or “other” with a note."),
        422,
    ),
    "nothing_was_swallowed": Message(
        N_("Nothing was swallowed"),
        N_("The dose was recorded as not given."),
        N_("If that is wrong, void it with a second person."),
    ),
    "reason_needed": Message(
        N_("A reason is needed"),
        N_("What is struck through stays in sight, and so does why."),
        N_("Choose or write the reason."),
        422,
    ),
    "already_void": Message(
        N_("This dose is void already"),
        N_("It was struck through before."),
        N_("Nothing more is needed."),
    ),
    "slot_already_free": Message(
        N_("Another dose may already be given in its place"),
        N_("This dose was released before, and it can be released once."),
        N_("Open the person's card to see where things stand."),
    ),
    "replacement_above_order": Message(
        N_("The replacement is more than the order"),
        N_("A replacement is at most the ordered dose."),
        N_("Enter a smaller amount, or change the order."),
        422,
    ),
    "exposure_unknown": Message(
        N_("There is no such report"),
        N_("Nobody reported a wrong swallow under this number."),
        N_("Go back to the list."),
        404,
    ),
    "signature_unreadable": Message(
        N_("The signature could not be kept"),
        N_("It was empty or too large."),
        N_("Ask the person to sign again."),
        422,
    ),
    "identity_not_confirmed_at_hand_over": Message(
        N_("Identity was not confirmed at hand-over"),
        N_("No touch, card or face check for this dose in the last minute before the swallow."),
        N_("It is recorded as a flag; confirm identity before handing over."),
    ),
    "signature_missing": Message(
        N_("The patient's signature is missing"),
        N_("The law asks for the recipient's signature."),
        N_("It is recorded as a flag; ask for the signature now."),
    ),
    "register_below_what_was_given": Message(
        N_("The register holds less than was given"),
        N_("More was swallowed than the bottle's balance shows."),
        N_("Count the bottle now."),
    ),
}
