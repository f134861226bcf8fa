"""From the figures of an evaluation to its kept, signed report: words, HTML, PDF, then the signature over all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from devices.evaluate import Captures, Device, Impression, Kept, Occasion, Session, Store, build, new_id
from devices.evaluate.matrix import Side
from devices.evaluate.process import process_all, templates_of
from devices.evaluate.session import ASSUMED_DPI
from devices.evaluate.store import key_name
from ost.reports.evaluation import render_html, render_pdf, sentences

Progress = Callable[[int, int, str], None]


def evaluate_captures(
    store: Store,
    captures: Captures,
    now: datetime,
    *,
    device: str = "",
    cohort: str = "",
    dpi: int | None = None,
    language: str,
    how: str = "folder",
    site: str | None = None,
    progress: Progress | None = None,
) -> Kept:
    """Evaluate a set of captures and keep the report. About half a second a picture.

    `cohort`: whose fingers they are; without one these captures can only be crossed with themselves. `dpi`
    of the pictures, 500 where nobody says.
    """
    pictures = captures.pictures > 0
    own = templates_of(captures.captures)
    impressions = process_all(captures.captures, dpi or ASSUMED_DPI, progress) if pictures else own
    name = device or captures.name
    found = Device(
        name,
        how,
        gives="image" if pictures else "template",
        dpi=(dpi or ASSUMED_DPI) if pictures else None,
        dpi_source="option" if dpi else "assumed",
    )
    occasion = Occasion(
        id=new_id(now.strftime("%Y%m%d")),
        cohort=cohort or f"{captures.name}-{captures.digest[:16]}",
        origin=captures.digest,
        at=now,
        ignored=captures.ignored,
        one_finger_each=captures.one_finger_each,
        site=site,
    )
    return keep(store, occasion, found, impressions, own if pictures else (), language=language, progress=progress)


def evaluate_session(
    store: Store, session: Session, now: datetime, *, language: str, how: str = "live", progress: Progress | None = None
) -> Kept:
    """Evaluate what a guided session took so far, all of its plan or not, and keep the report."""
    occasion = Occasion(
        id=new_id(now.strftime("%Y%m%d")),
        cohort=session.cohort,
        origin=f"session-{session.name}-{new_id(now.strftime('%Y%m%d'))}",
        at=now,
        planned=len(list(session.plan.places())),
        withdrawn=len(session.withdrawn),
        site=session.site or None,
    )
    return keep(
        store,
        occasion,
        session.evaluated_device(how),
        session.impressions,
        language=language,
        tries=session.endings(),
        progress=progress,
    )


def keep(
    store: Store,
    occasion: Occasion,
    device: Device,
    impressions: Sequence[Impression],
    own_templates: Sequence[Impression] = (),
    *,
    language: str,
    tries=None,
    progress: Progress | None = None,
) -> Kept:
    """Cross with what the cohort has already, word, draw, sign and keep."""
    progress = progress or (lambda done, total, what: None)
    others: list[Side] = store.cohort(occasion.cohort, device.name)
    document, sides = build(occasion, device, impressions, own_templates, others, tries, progress)
    progress(0, 1, "report")
    document["language"] = language
    for use, sentence in sentences(document, language).items():
        document["verdicts"][use]["sentence"] = sentence
    html = render_html({**document, "signature": {"key_name": key_name(store.public_key)}}, language)
    pdf, why_not = render_pdf(html)
    document["files"] = {"pdf_missing_because": why_not}
    return store.save(document, {"html": html.encode(), "pdf": pdf}, sides)
