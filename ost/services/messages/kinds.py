"""What a patient can be told, and how each is written: the closed list of kinds.

Whoever reads a lock screen over the person's shoulder learns that somebody has a
booking, on which days and in which county: nothing of a treatment, a medicine, an
amount, a kind of institution, a name. A street address stands only where a usual
place is closed and the person has to find another one today. Everything else is on
the person's own page, which no text links to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from babel.support import NullTranslations, Translations
from sqlalchemy.engine import Connection

from ost.errors import N_
from ost.models import opening, site
from ost.rules.counties import county_name
from ost.rules.schedule import ROC_OFFSET, format_roc

LANGUAGES = ("zh_Hant_TW", "zh_Hans_CN", "en")
TRANSLATIONS = Path(__file__).resolve().parents[2] / "translations"

CODE, NEW_SIGN_IN = "portal_code", "portal_new_sign_in"


@dataclass(frozen=True, slots=True)
class Kind:
    """`text`: English msgid; its placeholders are those of `_filled`. `good_for`: later than this it is no news.

    `days_matter`: nor after the last of its days. `asked_for`: the person asked for it this minute, so that it
    rests on that and not on the consent to messages; its contact need not be verified where it is named.
    """

    text: str
    good_for: timedelta = timedelta(days=2)
    days_matter: bool = True
    asked_for: bool = False
    subject: str = N_("Your booking")


KINDS = MappingProxyType(
    {
        "guest_asked": Kind(N_("We have your booking request: %(booking)s. You will hear from us.")),
        "guest_confirmed": Kind(N_("Your booking is confirmed: %(booking)s. Details are on your page.")),
        "guest_declined": Kind(
            N_("Your booking could not be approved: %(booking)s. Why, and what else is possible, is on your page.")
        ),
        "guest_not_accepted": Kind(
            N_("There was no room for your booking: %(booking)s. Other places are on your page.")
        ),
        "guest_question": Kind(N_("A question about your booking: %(booking)s. Please answer on your page.")),
        "guest_offer": Kind(N_("Another place for your booking: %(booking)s. Please answer on your page.")),
        "guest_changed": Kind(N_("Your booking has changed: %(booking)s. Details are on your page.")),
        "guest_day_dropped": Kind(N_("Taken out of your booking: %(booking)s. The other days stay as they are.")),
        "guest_day_unused": Kind(
            N_("Not used: %(booking)s. Please call%(phone)s if you could not come."), days_matter=False
        ),
        "guest_paused": Kind(
            N_("Your booking is on hold: %(booking)s. Please look at your page or call%(phone)s before you travel.")
        ),
        "guest_resumed": Kind(N_("Your booking stands again: %(booking)s. Details are on your page.")),
        "guest_ended": Kind(
            N_("Your booking has ended: %(booking)s. Please look at your page or call%(phone)s before you travel.")
        ),
        "guest_expired": Kind(
            N_("Your booking was not answered in time: %(booking)s. You can ask again on your page."),
            days_matter=False,
        ),
        "guest_closed_summary": Kind(
            N_("Your booking is complete: %(booking)s. A summary is on your page."), days_matter=False
        ),
        "closure_moved": Kind(N_("Change of place: %(address)s. Details are on your page.")),
        "closure_later": Kind(
            N_("Your usual place opens later: %(booking)s. Please call%(phone)s before you set out.")
        ),
        "closure_nowhere": Kind(N_("Your usual place is closed: %(booking)s. Please call%(phone)s.")),
        "closure_undone": Kind(N_("Your usual place is open after all: %(booking)s. The change is void.")),
        CODE: Kind(
            N_("%(code)s is your code, good for %(minutes)s minutes. Give it to nobody."),
            good_for=timedelta(minutes=10),
            days_matter=False,
            asked_for=True,
            subject=N_("Your code"),
        ),
        NEW_SIGN_IN: Kind(
            N_("Your page was opened on another device. If it was not you, please call%(phone)s."),
            good_for=timedelta(hours=12),
            days_matter=False,
            subject=N_("Your page"),
        ),
    }
)

#: What `data` may hold beside a code's `secret`: codes, ids and numbers, so that nothing personal gets in by mistake.
_PLAIN = re.compile(r"[A-Za-z0-9_.:+|=-]{0,120}")


def check(kind: str, data: Mapping) -> None:
    """ValueError for a kind that is not listed, or data that could be words: a mistake of the caller's."""
    if kind not in KINDS:
        raise ValueError(f"no such message: {kind!r}")
    for name, value in data.items():
        if isinstance(value, Mapping):
            raise ValueError(f"{name}: messages take codes, ids and numbers only")
        values = value if isinstance(value, list | tuple) else [value]
        if not all(v is None or isinstance(v, int | date) or _PLAIN.fullmatch(str(v)) for v in values):
            raise ValueError(f"{name}: messages take codes, ids and numbers only")


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    body: str


def good_until(kind: str, data: Mapping, created_at: datetime, tz: str) -> datetime:
    """From then on it is old news and is not sent any more: the kind's time, or the end of the last of its days."""
    rule = KINDS[kind]
    until = created_at + rule.good_for
    if kind == CODE and isinstance(data.get("minutes"), int):
        until = created_at + timedelta(minutes=data["minutes"])
    days = days_of(data)
    if rule.days_matter and days:
        end = datetime.combine(max(days) + timedelta(days=1), datetime.min.time(), ZoneInfo(tz))
        until = min(until, end)
    return until


def days_of(data: Mapping) -> list[date]:
    found = data.get("days") or ([data["day"]] if data.get("day") else [])
    return sorted({d if isinstance(d, date) else date.fromisoformat(str(d)) for d in found})


def render(
    tx: Connection, kind: str, data: Mapping, language: str, home_site: str | None, secret: str | None = None
) -> Text:
    """The text as it goes out, in `language`. `home_site`: whose telephone it gives; `secret`: the one-time code."""
    rule, lang = KINDS[kind], language if language in LANGUAGES else LANGUAGES[0]
    say = translations(lang).gettext
    return Text(say(rule.subject), say(rule.text) % _Filled(tx, data, lang, home_site, secret))


class _Filled(dict):
    """The placeholders of a text, each looked up only where the text has it."""

    def __init__(self, tx: Connection, data: Mapping, language: str, home_site: str | None, secret: str | None):
        super().__init__()
        self._tx, self._data, self._language, self._home, self._secret = tx, data, language, home_site, secret

    def __missing__(self, name: str) -> str:
        match name:
            case "booking":
                return self._booking()
            case "address":
                return self._address()
            case "phone":
                return self._phone()
            case "code":
                if self._secret is None:
                    raise ValueError("a code's message without its code")
                return self._secret
            case "minutes":
                return str(self._data.get("minutes", 10))
        raise KeyError(name)

    def _booking(self) -> str:
        days, code = days_of(self._data), self._data.get("site")
        parts = [spans(days, self._language)] if days else []
        if code:
            s = site.site
            county = self._tx.execute(sa.select(s.c.county).where(s.c.id == code)).scalar()
            parts += [county_name(county, self._language)] if county else []
        if not parts:
            parts = [str(self._data.get("request", "-"))]
        return ", ".join(parts) if self._language == "en" else "，".join(parts)

    def _address(self) -> str:
        """Where to go instead; the county where no address is known."""
        g, days = opening.guest_site, days_of(self._data)
        column = {"en": g.c.address_en, "zh_Hans_CN": g.c.address_zh_hans}.get(self._language, g.c.address_zh_hant)
        code = self._data.get("to_site") or self._data.get("site")
        address = self._tx.execute(sa.select(column).where(g.c.site == code)).scalar() if code else None
        if not address:
            return self._booking()
        parts = [spans(days, self._language), address] if days else [address]
        return ", ".join(parts) if self._language == "en" else "，".join(parts)

    def _phone(self) -> str:
        s = site.site
        phone = self._tx.execute(sa.select(s.c.phone).where(s.c.id == self._home)).scalar() if self._home else None
        return f" {phone}" if phone else ""


def spans(days: Iterable[date], language: str) -> str:
    """Days in both calendars, the reader's own first and the other's year behind: "115/11/23-25 (2026)".

    More than two stretches are told as the first day, the last day and how many days between.
    """
    stretches: list[tuple[date, date]] = []
    every = sorted(set(days))
    for day in every:
        if stretches and day - stretches[-1][1] == timedelta(days=1):
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    if len(stretches) > 2:
        first, last, count = stretches[0][0], stretches[-1][1], len(every)
        text = translations(language).gettext("%(days)s, %(count)s days in all")
        return text % {"days": _span(first, last, language), "count": count}
    return (", " if language == "en" else "、").join(_span(first, last, language) for first, last in stretches)


def _span(first: date, last: date, language: str) -> str:
    taiwan = language == "zh_Hant_TW"
    begin = format_roc(first) if taiwan else first.isoformat()
    mark = "/" if taiwan else "-"
    if first == last:
        text = begin
    elif (first.year, first.month) == (last.year, last.month):
        text = f"{begin} - {last.day:02}"
    elif first.year == last.year:
        text = f"{begin} - {last.month:02}{mark}{last.day:02}"
    else:
        text = f"{begin} - {format_roc(last) if taiwan else last.isoformat()}"
    years = [d.year - (0 if taiwan else ROC_OFFSET) for d in (first, last)]
    other = "-".join(str(y) for y in dict.fromkeys(years))
    return f"{text} ({other})" if taiwan else f"{text} ({translations(language).gettext('ROC')} {other})"


@cache
def translations(language: str) -> NullTranslations:
    """Texts without a request: the scheduler's. English ones are the msgids themselves."""
    return NullTranslations() if language == "en" else Translations.load(str(TRANSLATIONS), [language])
