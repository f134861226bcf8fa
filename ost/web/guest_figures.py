"""Figures of guest dosing: each with its sentence, its table and its definition."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from flask import render_template, request
from flask_babel import gettext

from ost import clock, wording
from ost.http import actor, allow, house
from ost.rules import guest_figures as rules
from ost.services.guest import figures
from ost.web import desk, formats, guest_frame

blueprint = guest_frame.make_blueprint("guest_figures", __name__, "/guest/figures")
MONTHS_SHOWN = 13
DECIMALS = {"minutes": 1, "days": 1, "km": 1}


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure as the page writes it: `value` of everything together, then its rows."""

    answer: figures.Answer
    total: rules.Row

    @property
    def title(self) -> str:
        return gettext(self.answer.indicator.title)

    @property
    def definition(self) -> str:
        return gettext(self.answer.indicator.definition)


@blueprint.get("")
@allow("indicator.read")
def index():
    """Months to choose, one way of dividing them, every figure."""
    today = clock.dosing_day(house().now(), str(desk.tz()))
    within = figures.inside(actor())
    months = _months(today, within)
    first_month = _month(request.args.get("from"), months) or months[0]
    last_month = max(_month(request.args.get("to"), months) or months[0], first_month)
    by = request.args.get("by", rules.SITE)
    by = by if by in (rules.COUNTY, rules.SITE, rules.MONTH, rules.REASON) else rules.SITE
    last = (last_month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    shown = []
    for name, indicator in figures.INDICATORS.items():
        if by not in indicator.by:
            continue
        total = figures.figure(house(), actor(), name, first_month, last, rules.ALL).rows[0]
        shown.append(Shown(figures.figure(house(), actor(), name, first_month, last, by), total))
    return render_template(
        "guest/figures.html",
        figures=shown,
        month_pairs=[(f"{m:%Y-%m}", f"{m:%Y-%m}") for m in months],
        first=first_month,
        last_month=last_month,
        by=by,
        within=within,
        least=rules.LEAST,
        key_name=lambda key: _key_name(by, key),
        said=said,
        as_of=house().now(),
    )


def said(row: rules.Row, indicator: figures.Indicator) -> str:
    """The value with its unit: 94.1 %, 12, 35.5 min."""
    if row.suppressed or row.value is None:
        return "–"
    if indicator.kind in (rules.SHARE, rules.CAPACITY):
        return f"{100 * row.value:.1f}{formats.NBSP}%"
    if indicator.kind == rules.COUNT:
        return formats.count(int(row.value))
    number = f"{row.value:.1f}".removesuffix(".0")
    unit = {"minutes": gettext("min"), "days": gettext("days"), "km": "km"}[indicator.unit]
    return f"{number}{formats.NBSP}{unit}"


def _months(today: date, within: bool) -> list[date]:
    """Newest first; the running one only for whoever belongs to the sites."""
    month, found = today.replace(day=1), []
    while len(found) < MONTHS_SHOWN + (not within):
        found.append(month)
        month = (month - timedelta(days=1)).replace(day=1)
    return found if within else found[1:]


def _month(text: str | None, months: list[date]) -> date | None:
    return next((m for m in months if f"{m:%Y-%m}" == text), None)


def _key_name(by: str, key: str) -> str:
    if by == rules.COUNTY:
        return guest_frame.county_name(key)
    if by == rules.SITE:
        if key.startswith("?"):
            return gettext("%(county)s, no site named", county=guest_frame.county_name(key[1:]))
        return wording.site_name(key)
    if by == rules.REASON:
        return guest_frame.reason_word(key)
    return key
