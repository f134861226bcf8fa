"""A pass as a person holds it: on the screen, on paper, as a file. Says where and when, never what for or who."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import segno
from flask import render_template

from ost.http import house
from ost.i18n import language
from ost.log import log
from ost.services.guest import find_place, passes
from ost.services.guest.find_place import Place

CSS = Path(__file__).resolve().parents[2] / "templates" / "portal" / "guest" / "pass.css"


@dataclass(frozen=True, slots=True)
class Paper:
    """`qr`: the code as an SVG data URI; `digits`: in two groups; `place` with its hours of the days it is good for."""

    qr: str
    digits: tuple[str, str]
    days: tuple[date, ...]
    place: Place | None
    site: str

    @property
    def hours(self) -> tuple[tuple[str, str, str, tuple[date, ...]], ...]:
        """(opens, closes, last dose, the days it holds for), one line for days alike."""
        found: dict[tuple[str, str, str], list[date]] = {}
        for d in self.place.days if self.place else ():
            if d.opening:
                found.setdefault((d.opening.opens, d.opening.closes, d.opening.last_dose), []).append(d.day)
        return tuple((*times, tuple(days)) for times, days in found.items())


def paper(patient_id: str, permit: str | None) -> Paper | None:
    """The live pass of this person's permit; None when there is none."""
    shown = passes.for_patient(house(), patient_id, permit) if permit else None
    if shown is None:
        return None
    with house().read() as tx:
        place = find_place.place(tx, shown.site, shown.days)
    return Paper(qr_svg(shown.token), (shown.digits[:3], shown.digits[3:]), shown.days, place, shown.site)


def qr_svg(text: str) -> str:
    """A QR code as a data URI: what it says reaches no address and no cache."""
    out = io.BytesIO()
    made = segno.make(text, error="m", micro=False, boost_error=False)
    # No size of its own: it fills what page and paper give it, edge to edge. Four modules of quiet, as the norm asks.
    made.save(out, kind="svg", omitsize=True, border=4, light="#fff")
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()


def pdf(found: Paper) -> bytes | None:
    """The pass on one small sheet (A6); None where this machine cannot make PDF, which the log says."""
    html = render_template(
        "portal/guest/pass_sheet.html", p=found, css=_css(), lang=language().replace("_", "-")
    )
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        log.error("pdf_library_missing", kind=type(error).__name__)
        return None
    # The QR code stands in the page itself; nothing is fetched from anywhere.
    inside = URLFetcher(allowed_protocols=["data"], allow_redirects=False, fail_on_errors=True)
    return HTML(string=html, url_fetcher=inside).write_pdf()


@cache
def _css() -> str:
    return CSS.read_text(encoding="utf-8")

