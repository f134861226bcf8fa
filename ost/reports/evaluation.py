"""The report of a device's evaluation: one document in, HTML that needs nothing else and PDF out.

Does: words it, verdict first, figure second, sentence third; draws it; makes the PDF with WeasyPrint where the
machine has what that needs. Does not: measure, decide, or show a print, a minutia or a participant's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from devices.evaluate.verdict import GOOD_CROSS_EER, MOST_CROSS_EER
from devices.fingerprints.decide import VERIFY_1_1
from ost.errors import N_
from ost.log import log
from ost.reports import charts
from ost.reports.words import ADVICE, DPI_SOURCES, HOW, LEVELS, SENTENCES, SO_FAR, SOURCES, USES, Words

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"
TZ = "Asia/Taipei"

#: Reasons why there is no PDF.
PDF_LIBRARY_MISSING, PDF_FAILED = "pdf_library_missing", "pdf_failed"
NO_PDF = {
    PDF_LIBRARY_MISSING: N_("This machine lacks the Pango library that makes PDF files; the HTML prints the same."),
    PDF_FAILED: N_("The PDF could not be made; the HTML prints the same."),
}

#: What a cell of the matrix is called: up to GOOD_CROSS_EER, up to MOST_CROSS_EER, above.
_GRADES = (("good", N_("good")), ("fair", N_("fair")), ("poor", N_("poor")))


def sentences(document: Mapping, language: str) -> dict[str, str]:
    """{use: its verdict in one sentence} in one language."""
    words = Words(language)
    return {use: _sentence(words, use, found, document) for use, found in document["verdicts"].items()}


def render_html(document: Mapping, language: str) -> str:
    """The whole report, self-contained. `document` as devices.evaluate.build makes it, with the signing key's name
    under "signature" or not signed yet."""
    return _environment(language).get_template("evaluation/report.html").render(**view(document, language))


def render_pdf(html: str) -> tuple[bytes | None, str | None]:
    """(PDF, None), or (None, why not): one of NO_PDF."""
    try:
        from weasyprint import HTML
    except OSError:
        return None, PDF_LIBRARY_MISSING
    try:
        return HTML(string=html, url_fetcher=_nothing_from_outside).write_pdf(), None
    except Exception as error:  # noqa: BLE001 - a layout that breaks must not cost the evaluation
        log.error("pdf_failed", kind=type(error).__name__)
        return None, PDF_FAILED


def _nothing_from_outside(url: str, *_, **__):
    raise ValueError("a report needs nothing from outside")


def view(document: Mapping, language: str) -> dict:
    """Everything the report and the page say, worded."""
    words = Words(language)
    at = datetime.fromisoformat(document["at"]).astimezone(ZoneInfo(TZ))
    tries = document["fta"]["tries"]["reasons"] if document["fta"]["tries"] else {}
    return {
        "w": words,
        "d": document,
        "language": words.tag,
        "day": words.day(at),
        "clock": at.strftime("%H:%M"),
        "verdicts": [_verdict(words, use, found, document) for use, found in document["verdicts"].items()],
        "key_figures": _key_figures(words, document),
        "about": _about(words, document),
        "rates": _rates(words, document),
        "too_small": _too_small(words, document),
        "charts": _charts(words, document),
        "matrix": matrix_view(document, words),
        "how": words.say(HOW.get(document["device"]["how"], document["device"]["how"])),
        "dpi_source": words.say(DPI_SOURCES[document["dpi_source"]]),
        "advice": [(words.say(ADVICE.get(code, code)), n) for code, n in document["quality"]["advice"].items()],
        "refusals": [(words.why_not(code), n) for code, n in document["fta"]["reasons"].items()],
        "tries": [(words.why_not(code), n) for code, n in tries.items()],
    }


# --- verdicts ---------------------------------------------------------------------


def _verdict(words: Words, use: str, found: Mapping, document: Mapping) -> dict:
    name, what = USES[use]
    return {
        "use": use,
        "name": words.say(name),
        "what": words.say(what),
        "level": found["level"],
        "word": words.say(LEVELS[found["level"]]),
        "sentence": _sentence(words, use, found, document),
        "more": [words.reason(reason) for reason in found["reasons"][1:]],
    }


def _sentence(words: Words, use: str, found: Mapping, document: Mapping) -> str:
    text = SENTENCES[use, found["level"]]
    if found["level"] != "suitable":
        said = words.say(text, why=words.reason(found["reasons"][0]))
        return words.after(said, words.say(SO_FAR[found["so_far"]])) if found["so_far"] in SO_FAR else said
    at, practice = document["gated"]["at_threshold"], document["practice"]
    crossed = [cell["gated_eer"] for cell in _of_other_devices(document) if cell["gated_eer"] is not None]
    return words.say(
        text,
        rejected=words.of(practice["one_touch"] if practice else at["fnmr"]),
        accepted=words.of(at["fmr"]),
        named=words.of(practice["identify"]["named_right"] if practice else None),
        wrong=words.of(practice["identify"]["named_wrong"] if practice else None),
        crossed=words.percent(max(crossed, default=None)),
    )


def _of_other_devices(document: Mapping) -> list[Mapping]:
    device = {side["key"]: side["device"] for side in document["sides"]}
    return [
        cell
        for cell in document["matrix"]
        if cell["enrolled"] == document["side"] and device[cell["verified"]] != document["device"]["name"]
    ]


# --- figures ----------------------------------------------------------------------


def _key_figures(words: Words, document: Mapping) -> list[dict]:
    quality = document["quality"]["nfiq2"]
    point = document["fnmr_at"]["0.001"]
    return [
        {
            "value": words.percent(document["eer"]),
            "name": words.say(N_("Equal error rate")),
            "note": words.interval(*document["eer_interval"]) if document["eer"] is not None else "",
        },
        {
            "value": words.percent(point["value"]),
            "name": words.say(N_("FNMR at FMR %(fmr)s"), fmr=words.percent(0.001)),
            "note": words.interval(point["low"], point["high"])
            if point["enough"]
            else words.say(N_("too small a sample to rely on")),
        },
        {
            "value": words.percent(document["fta"]["value"]),
            "name": words.say(N_("Failure to acquire")),
            "note": f"{document['fta']['errors']} / {document['fta']['n']}",
        },
        {
            "value": words.count(quality["median"]) if quality["n"] else "–",
            "name": words.say(N_("Quality, NFIQ 2 median")),
            "note": words.say(N_("0 useless, 100 best")) if quality["n"] else words.say(N_("no picture to judge")),
        },
    ]


def _about(words: Words, document: Mapping) -> list[tuple[str, str]]:
    device, sample = document["device"], document["sample"]
    # A folder's device says nothing of itself; a row without an answer is said to have none.
    unknown = words.say(N_("not stated"))
    counted = {name: words.count(sample[name]) for name in ("people", "fingers", "impressions")}
    if sample["one_finger_each"]:
        people = N_("%(fingers)s fingers, %(impressions)s impressions; whose they are was not said")
    else:
        people = N_("%(people)s people, %(fingers)s fingers, %(impressions)s impressions")
    return [
        (words.say(N_("Device")), device["name"]),
        (words.say(N_("Maker, model")), " ".join(filter(None, (device["maker"], device["model"]))) or unknown),
        (
            words.say(N_("Serial number, firmware")),
            " / ".join(filter(None, (device["serial"], device["firmware"]))) or unknown,
        ),
        (words.say(N_("Captured from")), words.say(HOW.get(device["how"], device["how"]))),
        (words.say(N_("Sample")), words.say(people, **counted)),
        (words.say(N_("Declared about liveness")), device["liveness"] or unknown),
    ]


def _rates(words: Words, document: Mapping) -> list[dict]:
    """Rows of the table of error rates: every pair beside what a counter would have accepted."""
    rows = [
        {
            "name": words.say(N_("Equal error rate (EER)")),
            "every": _value(words, document["eer"], document.get("eer_interval")),
            "gated": _value(words, document["gated"]["eer"], document["gated"].get("eer_interval")),
        }
    ]
    for name, point in document["fnmr_at"].items():
        other = document["gated"]["fnmr_at"][name]
        rows.append(
            {
                "name": words.say(N_("FNMR at FMR %(fmr)s"), fmr=words.percent(float(name))),
                "every": _value(words, point["value"], (point["low"], point["high"]), point["enough"]),
                "gated": _value(words, other["value"], (other["low"], other["high"]), other["enough"]),
            }
        )
    at, every = document["gated"]["at_threshold"], document["at_threshold"]
    for name, title in (
        ("fnmr", N_("FNMR at the operating point %(threshold)s")),
        ("fmr", N_("FMR at the operating point %(threshold)s")),
    ):
        cells = {key: _rate(words, found and found[name]) for key, found in (("every", every), ("gated", at))}
        rows.append({"name": words.say(title, threshold=f"{VERIFY_1_1:g}"), **cells})
    return rows


def _rate(words: Words, rate: Mapping | None) -> dict:
    return _value(words, rate["value"], (rate["low"], rate["high"])) if rate else _value(words, None, None)


def _value(words: Words, value, interval, enough: bool = True) -> dict:
    known = value is not None
    return {
        "value": words.percent(value),
        "interval": words.interval(*interval) if known and interval else "",
        "enough": enough and known,
    }


def _too_small(words: Words, document: Mapping) -> list[str]:
    """A plain statement for each FMR at which this sample is too small."""
    return [
        words.say(
            N_(
                "The sample is too small for FMR %(fmr)s: %(impostor)s comparisons of different fingers were made, "
                "and below %(needed)s such a rate cannot be established (rule of 3)."
            ),
            fmr=words.percent(float(name)),
            impostor=words.count(point["impostor"]),
            needed=words.count(point["needed"]),
        )
        for name, point in document["fnmr_at"].items()
        if not point["enough"]
    ]


# --- charts and the matrix ----------------------------------------------------------


def _charts(words: Words, document: Mapping) -> dict:
    say = words.say
    return {
        "det": charts.det(
            document,
            say(N_("DET curve")),
            say(N_("False match rate (FMR)")),
            say(N_("False non-match rate (FNMR)")),
            say(N_("EER %(value)s"), value=words.percent(document["eer"])),
            say(N_("too few comparisons")),
        ),
        "scores": charts.distributions(
            document["histogram"],
            VERIFY_1_1,
            say(N_("Distribution of scores")),
            {
                "genuine": say(N_("same finger")),
                "impostor": say(N_("different fingers")),
                "score": say(N_("Score")),
                "share": say(N_("Share of comparisons")),
                "threshold": say(N_("operating point")),
            },
        ),
        "nfiq2": charts.bars(
            document["quality"]["nfiq2"]["histogram"],
            [f"{n}–{n + 9}" for n in range(0, 100, 10)],
            say(N_("NFIQ 2 of the pictures")),
            say(N_("NFIQ 2")),
            preferred_from=document["quality"]["nfiq2"]["preferred"] // 10,
        ),
    }


def matrix_view(document: Mapping, words: Words) -> dict:
    """Rows of the cross-device matrix: enrolled down, verified across."""
    def grade(eer: float | None) -> tuple[str, str]:
        if eer is None:
            return "none", "–"
        name, word = _GRADES[(eer > GOOD_CROSS_EER) + (eer > MOST_CROSS_EER)]
        return name, words.say(word)

    cells = {(cell["enrolled"], cell["verified"]): cell for cell in document["matrix"]}
    sides = [
        {"key": side["key"], "device": side["device"], "source": words.say(SOURCES[side["source"]])}
        for side in document["sides"]
    ]
    rows = []
    for enrolled in sides:
        row = []
        for verified in sides:
            cell = cells[enrolled["key"], verified["key"]]
            name, word = grade(cell["eer"])
            row.append(
                {
                    "grade": name,
                    "word": word,
                    "eer": words.percent(cell["eer"]),
                    "interval": words.interval(*cell["eer_interval"]) if cell["eer_interval"] else "",
                    "fnmr": words.percent(cell["fnmr_at_fmr_0_1"]),
                    "n": f"{words.count(cell['genuine'])} / {words.count(cell['impostor'])}",
                }
            )
        rows.append({"side": enrolled, "cells": row})
    return {"sides": sides, "rows": rows}


@cache
def _environment(language: str) -> Environment:
    words = Words(language)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(words.translations, newstyle=True)
    return environment
