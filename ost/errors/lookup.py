"""Looking beyond one's own site: possible duplicates, consents, strangers at the counter."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "consent_day_wrong": Message(
        N_("This day cannot be the last one"),
        N_("A consent ends on a day between today and the longest term the policy allows."),
        N_("Choose a day in that time."),
        400,
    ),
    "consent_given_already": Message(
        N_("This consent stands already"),
        N_("It was given before and has not ended."),
        N_("Take it back first if its last day is to change."),
    ),
    "consent_unknown": Message(
        N_("This consent is not known"),
        N_("No consent has this id."),
        N_("Open the person's page again."),
        404,
    ),
    "fingerprint_consent_ended": Message(
        N_("This person wants no fingerprints kept"),
        N_("They took their consent back; their fingers were wiped."),
        N_("Use a card, a number and the face, or a paper. If they agree again, record it first."),
    ),
    "stranger_left": Message(
        N_("This person is no longer at this counter"),
        N_("An emergency look is bound to the touch, card or number shown here a moment ago."),
        N_("Let the person touch or show the card again, then ask at once."),
    ),
    "duplicate_unknown": Message(
        N_("This case is not known"),
        N_("No case has this id, or one of the two homes is outside your scope."),
        N_("Go back to the list."),
        404,
    ),
    "duplicate_open_dose": Message(
        N_("A dose of one of them has no outcome yet"),
        N_("While it is not known what happened to a dose, no record is closed."),
        N_("Have the outcome recorded at its counter, then decide."),
    ),
    "duplicate_closed_otherwise": Message(
        N_("One of the records is closed for another reason"),
        N_("It was ended or forgotten, or closed by another decision."),
        N_("Undo that decision first, or leave this case as it is."),
    ),
    "duplicate_kept_needed": Message(
        N_("Which record stays is missing"),
        N_("One person keeps one record; two persons keep both."),
        N_("Choose the record that stays, and only for one person."),
        400,
    ),
}
