"""How a page writes amounts, dates, times and names.

Pure functions and the Jinja filters made of them. Amounts come in as integers
(micrograms, microlitres) and leave as text without a superfluous zero: 60,
0.5, 1,234. A number and its unit are joined by a no-break space, always.
Nothing here rounds a dose: what does not fit its unit's decimals is written out.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import get_locale, gettext

from ost.rules.names import masked

NBSP = "\u00a0"
_APART = re.compile(r"([0-9]) (mg/mL|mg|mL|h|s|min|%)(?![A-Za-z])")
ROC_YEAR_0 = 1911  # year 1 of the Republic of China calendar is 1912


def decimal(value: int, scale: int = 1000) -> str:
    """`value` divided by `scale` (a power of ten), exactly: 500 -> "0.5", 60000 -> "60"."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    whole, rest = divmod(value, scale)
    text = f"{whole:,}"
    if rest:
        text += "." + str(rest).rjust(len(str(scale)) - 1, "0").rstrip("0")
    return sign + text


def mg(ug: int | None) -> str:
    """Micrograms as milligrams with the unit: "60 mg"."""
    return "–" if ug is None else f"{decimal(ug)}{NBSP}mg"


def ml(ul: int | None, unit: str = "ul") -> str:
    """Microlitres as millilitres, or thousandths of a tablet as tablets, with the unit."""
    if ul is None:
        return "–"
    if unit == "tablet":
        return decimal(ul) + NBSP + gettext("tablets")
    return f"{decimal(ul)}{NBSP}mL"


def strength(ug: int | None, unit: str = "ul") -> str:
    """Strength of a product: "10 mg/mL" or "8 mg per tablet"."""
    if ug is None:
        return "–"
    if unit == "tablet":
        return gettext("%(mg)s per tablet", mg=mg(ug))
    return f"{decimal(ug)}{NBSP}mg/mL"


def change(ug: int | None) -> str:
    """A change of dose with its sign: "+5 mg", "0"."""
    if not ug:
        return "0"
    return ("+" if ug > 0 else "−") + mg(abs(ug))


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def roc(day: date) -> str:
    """115/11/22; a day before 1912 has no such form and is written as ISO."""
    year = day.year - ROC_YEAR_0
    return f"{year}/{day.month:02}/{day.day:02}" if year > 0 else day.isoformat()


def two_calendars(day: date | None, short: bool = False) -> str:
    """Both calendars, the reader's own first: the ROC one in Taiwan. `short`: the second one as a year only."""
    if day is None:
        return "–"
    iso = str(day.year) if short else day.isoformat()
    if not _in_taiwan():
        name, here = gettext("ROC"), day.year - ROC_YEAR_0 if short else roc(day)
        return f"{day.isoformat()} ({name}{NBSP}{here})"
    return f"{roc(day)} ({iso})"


def own_calendar(day: date) -> str:
    """The day as this reader writes it into a form."""
    return roc(day) if _in_taiwan() else day.isoformat()


def weekday(day: date) -> str:
    return (
        gettext("Mon"), gettext("Tue"), gettext("Wed"), gettext("Thu"), gettext("Fri"), gettext("Sat"), gettext("Sun"),
    )[day.weekday()]  # fmt: skip


def clock(at: datetime | None, tz: str = "Asia/Taipei", seconds: bool = False) -> str:
    """Wall clock of an instant at the site: 07:42."""
    if at is None:
        return "–"
    return at.astimezone(ZoneInfo(tz)).strftime("%H:%M:%S" if seconds else "%H:%M")


def day_of(at: datetime, tz: str = "Asia/Taipei") -> date:
    """Calendar day of an instant at the site: before eight in Taipei, UTC is still a day behind."""
    return at.astimezone(ZoneInfo(tz)).date()


def epoch_ms(at: datetime | None) -> int | None:
    """For countdowns in the page."""
    return None if at is None else int(at.timestamp() * 1000)


def waited(span: timedelta | None) -> str:
    if span is None:
        return ""
    return str(int(span.total_seconds() // 60)) + NBSP + gettext("min")


def joined(text: str) -> str:
    """A sentence in which no number stands apart from its unit."""
    return _APART.sub(lambda found: found[1] + NBSP + found[2], text)


def _in_taiwan() -> bool:
    locale = get_locale()
    return locale is None or locale.territory == "TW"


FILTERS = {
    "mg": mg,
    "ml": ml,
    "strength": strength,
    "change_mg": change,
    "count": count,
    "decimal": decimal,
    "roc": roc,
    "two_calendars": two_calendars,
    "weekday": weekday,
    "clock": clock,
    "day_of": day_of,
    "epoch_ms": epoch_ms,
    "waited": waited,
    "joined": joined,
    "masked": masked,
}


def register(app) -> None:
    app.jinja_env.filters.update(FILTERS)
