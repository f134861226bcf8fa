"""What a counter's page can say for itself."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "counter_not_yours": Message(
        N_("This counter is worked in another window."),
        N_("A counter belongs to one window at a time, so that a touch shows on one screen only."),
        N_("Choose the counter again to work it here."),
        409,
    ),
}
