"""Names and words of the counter's page: choices, medicines, products, faces."""

from __future__ import annotations

from flask import g, url_for

from ost import wording
from ost.http import house
from ost.i18n import language
from ost.services import stock_read
from ost.web import counter_view as cv


def choices(codes, chosen: str = "") -> tuple[cv.Choice, ...]:
    return tuple(cv.Choice(c, capital(wording.word(c)), c == chosen) for c in codes)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def medicine_name(product: str | None, medicine: str) -> str:
    for row in _products():
        if row.id == product:
            return {"en": row.name_en, "zh_Hans_CN": row.name_zh_hans}.get(language(), row.name_zh_hant)
    return capital(wording.word(medicine)) if medicine else ""


def product_names(product: str) -> tuple[str, ...]:
    """Its name in the three languages, for the person's side."""
    return next(((r.name_zh_hant, r.name_zh_hans, r.name_en) for r in _products() if r.id == product), ())


def _products():
    """The catalogue, read once a request."""
    if "ost_products" not in g:
        g.ost_products = stock_read.products(house())
    return g.ost_products


def face(patient_id: str) -> str:
    return url_for("counter.face", patient_id=patient_id)


def medicine_word(code: str) -> str:
    return capital(wording.word(code))
