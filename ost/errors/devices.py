"""Readers as they are managed: revoked ones, too many of them, too many touches."""

from ost.errors import N_, Message

MESSAGES = {
    "reader_revoked": Message(
        N_("This reader was revoked"),
        N_("An administrator withdrew it; nothing it reads counts any more."),
        N_("Use another reader, a card or a number, and call the administrator."),
        403,
    ),
    "readers_too_many": Message(
        N_("This station names too many readers"),
        N_("A station has few readers, and those it had before count with them."),
        N_("Give the readers their old names again, or enrol a new station."),
    ),
    "captures_too_many": Message(
        N_("Too many touches in a short time"),
        N_("Nobody touches a reader that fast."),
        N_("Wait ten seconds and touch again. If nobody touched, unplug the reader and call the administrator."),
    ),
    "reader_unknown_here": Message(
        N_("This reader is not known"),
        N_("No reader with this name has been seen at a station you manage."),
        N_("Go back to the list of readers."),
        404,
    ),
}
