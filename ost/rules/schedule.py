"""Days: when an order is due, which day an instant is for, and the two calendars.

Knows nothing of doses taken; see `missed_doses` and `attendance` for those.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo

from ost.rules.amounts import FULL_WIDTH
from ost.rules.facts import OrderFacts

#: Year 1 of the Republic of China calendar is 1912: 民國115年 = 2026 (DOMAIN.md section 2).
ROC_OFFSET = 1911

_FORMS = (
    # 民國68年5月3日, 68年5月3日
    re.compile(r"(?:民國)?\s*(?P<roc>[0-9]{1,3})\s*年\s*(?P<m>[0-9]{1,2})\s*月\s*(?P<d>[0-9]{1,2})\s*日"),
    # 68/5/3
    re.compile(r"(?P<roc>[0-9]{1,3})/(?P<m>[0-9]{1,2})/(?P<d>[0-9]{1,2})"),
    # 0680503: seven digits, as on forms and cards
    re.compile(r"(?P<roc>[0-9]{3})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"),
    # 1979-05-03; four digits of a year cannot be a ROC year
    re.compile(r"(?P<ce>[0-9]{4})([-/])(?P<m>[0-9]{1,2})\2(?P<d>[0-9]{1,2})"),
)


class DateError(ValueError):
    """`code` is one of the catalogue; `data` its placeholders."""

    def __init__(self, code: str, entered: str):
        super().__init__(code)
        self.code = code
        self.data = {"entered": entered[:20]}


def covers(order: OrderFacts, day: date, zone: tzinfo | None = None) -> bool:
    """Whether `day` lies within the order's dates.

    With the home site's `zone`, days after a stop are left out too; without it
    the stop is the caller's to check, because an instant has no day by itself.
    """
    if day < order.starts_on or (order.ends_on is not None and day > order.ends_on):
        return False
    if zone is not None and order.stopped_at is not None:
        return day <= dosing_day(order.stopped_at, zone)
    return True


def due_on(order: OrderFacts, day: date, zone: tzinfo | None = None) -> bool:
    """Whether a dose of this order is due on `day`: within its dates and on one of its weekdays."""
    return covers(order, day, zone) and day.isoweekday() in order.days


def next_due(order: OrderFacts, after: date) -> date | None:
    """The first day after `after` on which a dose is due, None when the order has no further day."""
    first = max(after + timedelta(days=1), order.starts_on)
    week = (first + timedelta(days=n) for n in range(7))
    return next((day for day in week if due_on(order, day)), None)


def dosing_day(at: datetime, zone: tzinfo) -> date:
    """The calendar day of the aware instant `at` where the clock shows `zone`."""
    if at.tzinfo is None:
        raise ValueError("an instant without a zone has no dosing day")
    return at.astimezone(zone).date()


def parse_date(text: str) -> date:
    """A date as people write it, in either calendar; DateError for anything else.

    The caller echoes `format_both` before saving: "68/5/3" is a ROC date here,
    and the person who typed it must see which year it became.
    """
    cleaned = text.strip().translate(FULL_WIDTH)
    for form in _FORMS:
        match = form.fullmatch(cleaned)
        if not match:
            continue
        found = match.groupdict()
        if "roc" in found:
            roc = int(found["roc"])
            if roc == 0:
                raise DateError("date_impossible", text)
            year = roc + ROC_OFFSET
        else:
            year = int(found["ce"])
        try:
            return date(year, int(found["m"]), int(found["d"]))
        except ValueError as error:
            raise DateError("date_impossible", text) from error
    raise DateError("date_not_understood", text)


def format_roc(day: date) -> str:
    """2026-11-22 -> "115/11/22". Before 1912 there is no ROC year: the ISO date."""
    if day.year <= ROC_OFFSET:
        return day.isoformat()
    return f"{day.year - ROC_OFFSET}/{day.month:02d}/{day.day:02d}"


def format_both(day: date) -> str:
    """2026-11-22 -> "115/11/22 (2026-11-22)"."""
    roc = format_roc(day)
    return roc if roc == day.isoformat() else f"{roc} ({day.isoformat()})"
