"""What the stock room can be answered with, beside what the rules say of a bottle at the counter."""

from ost.errors import N_, Message

MESSAGES = {
    "bottle_unknown": Message(
        N_("There is no such bottle here"),
        N_("No bottle of this site has this number or label."),
        N_("Look at the label again, or receive the bottle first."),
        404,
    ),
    "bottle_exists": Message(
        N_("This bottle number is taken"),
        N_("Every bottle in the network has a number of its own."),
        N_("Check whether it was received already; otherwise leave the number empty."),
    ),
    "bottle_number_shape": Message(
        N_("This is not a bottle number"),
        N_("Up to 20 letters, digits and hyphens; R- is for residue jars."),
        N_("Correct it, or leave it empty for the next number of the site."),
        422,
    ),
    "bottle_closed": Message(
        N_("This bottle is out of use"),
        N_("It was closed, or it is a residue jar."),
        N_("Take another bottle."),
    ),
    "bottle_too_little": Message(
        N_("There is not that much in the bottle"),
        N_("The register says less is left than was asked for. A balance never falls below zero."),
        N_("Count the bottle, then enter what is really there."),
    ),
    "bottle_scan_needed": Message(
        N_("Scan the bottle's label"),
        N_("A mixed-up strength is caught by the label, not by memory."),
        N_("Scan it, or say why that cannot be done."),
        422,
    ),
    "bottle_other_label": Message(
        N_("This label belongs to another bottle"),
        N_("What was scanned is not the bottle that was chosen."),
        N_("Stop. Look at the number on both, and take the right one."),
    ),
    "product_unknown": Message(
        N_("This product is not in the catalogue, or is another medicine"),
        N_("Medicine and strength come from the catalogue, never from typing."),
        N_("Choose a product from the list."),
        422,
    ),
    "count_reason_needed": Message(
        N_("The count differs from the register"),
        N_("A difference is kept with its reason."),
        N_("Measure once more. If it stays, say what you think happened."),
        422,
    ),
    "period_wrong": Message(
        N_("The period is not possible"),
        N_("It begins before it ends and is at most a year long."),
        N_("Correct one of the two days."),
        422,
    ),
    "residue_too_little": Message(
        N_("There is not that much in the residue jar"),
        N_("The jar's register says less."),
        N_("Count the jar first, then destroy what is there."),
        422,
    ),
}
