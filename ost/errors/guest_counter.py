"""A guest at the counter: their pass, and the home site taking a day back."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "pass_unknown": Message(
        N_("This pass opens nothing here"),
        N_("It is not one of this site, or it has ended."),
        N_("Use another way: finger, card, number and face, or a paper. Each is as good."),
        404,
    ),
    "pass_not_today": Message(
        N_("This pass is not for today"),
        N_("The permit has other days."),
        N_("Look at the days on the pass; a day can be added at the guest desk while there is a place."),
    ),
    "pass_wait": Message(
        N_("Too many six digits that were wrong"),
        N_("They can be tried again in %(seconds)s s."),
        N_("Scan the pass, or use another way. Each is as good."),
        429,
    ),
}
