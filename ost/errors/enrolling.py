"""Enrolling at a counter's reader, and what a station's touches are for."""

from ost.errors import N_, Message

MESSAGES = {
    "counter_without_reader": Message(
        N_("This counter has no reader"),
        N_("No station stands at it, or its station was revoked."),
        N_("Work at a counter with a reader, or keep a picture from the reader's own program."),
    ),
    "reader_taken_for_task": Message(
        N_("A colleague is using this reader"),
        N_("Its touches are for another enrolment or an evaluation at the moment."),
        N_("Wait until it is over; it ends by itself soon after the last touch."),
    ),
    "task_over": Message(
        N_("The touch came too late"),
        N_("What the reader was set to had just ended or changed. Nothing was kept and nobody was called."),
        N_("Begin again on the page, then touch."),
    ),
    "reader_matches_only_itself": Message(
        N_("This reader gives no pictures"),
        N_("It keeps and compares fingers inside itself, so that nobody enrolled elsewhere can be recognised with it."),
        N_("Connect a reader that gives pictures or ISO templates. Until then use a card or a number."),
    ),
    "finger_differs": Message(
        N_("This is not like the finger's earlier impressions"),
        N_("Another finger, or another person, may have touched. It was not kept."),
        N_("Touch again with the same finger. If the first one was wrong, withdraw this finger and begin it again."),
        422,
    ),
    "finger_enrolled_as_other": Message(
        N_("This finger is enrolled already, under another name"),
        N_("It is like one of the person's other fingers. It was not kept."),
        N_("Lay on the finger that is asked for, or withdraw the other one first."),
        422,
    ),
}
