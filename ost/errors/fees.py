"""Fees, receipts and the months between sites. None of them ever holds a dose."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "fee_amount_wrong": Message(
        N_("This amount cannot be right"),
        N_("Amounts are whole New Taiwan dollars from 0 to 1,000,000; empty means not published."),
        N_("Correct the amount, or leave it empty."),
        400,
    ),
    "fee_share_wrong": Message(
        N_("This share cannot be right"),
        N_("The payer's share is a whole number of percent from 0 to 100; empty means not published."),
        N_("Correct the share, or leave it empty."),
        400,
    ),
    "fee_days_wrong": Message(
        N_("These days do not fit"),
        N_("A row ends on or after the day it begins, and a year has four digits."),
        N_("Correct the day or the year."),
        400,
    ),
    "fee_source_needed": Message(
        N_("The source is missing"),
        N_("Every amount says where it comes from, in up to 200 signs."),
        N_("Write down the letter, page or decision it was read in."),
        400,
    ),
    "fee_charge_not_open": Message(
        N_("This cannot be paid here"),
        N_("It was paid before, belongs to another site, or has no published amount."),
        N_("Open the page again and choose from what is open."),
    ),
    "fee_paid_differs": Message(
        N_("The sum is another"),
        N_("What was chosen costs NT$%(total)s in all."),
        N_("Choose what was paid, and write down exactly its sum."),
    ),
    "fee_receipt_unknown": Message(
        N_("This receipt is not known"),
        N_("No receipt here has this number."),
        N_("Go back to the list."),
        404,
    ),
    "fee_month_not_over": Message(
        N_("This month is not over"),
        N_("A month is settled after its last day."),
        N_("Choose an earlier month."),
    ),
    "settlement_unknown": Message(
        N_("This settlement is not known"),
        N_("No settlement of your site has this id."),
        N_("Go back to the list."),
        404,
    ),
}
