"""What a patient is charged, what was paid, and what is left of the year's subsidy: their own only."""

from __future__ import annotations

from flask import Blueprint, render_template

from ost.http import PORTAL_PREFIX, house, patient_id, patient_route
from ost.i18n import language
from ost.rules.counties import county_name
from ost.services.fees import receipts
from ost.web.fees import fee_word, ntd, receipt_pdf

blueprint = Blueprint("portal_fees", __name__, url_prefix=PORTAL_PREFIX)
#: Charges on the page; all of them are in "Take it all with me".
MOST = 100


@blueprint.get("/costs")
@patient_route
def index():
    account = receipts.of_patient(house(), patient_id())
    return render_template(
        "portal/costs.html",
        a=account,
        most=MOST,
        fee_word=fee_word,
        ntd=ntd,
        county_name=lambda code: county_name(code, language()),
    )


@blueprint.get("/costs/<int(max=9999999):number>")
@patient_route
def receipt(number: int):
    return receipt_pdf(receipts.own_receipt(house(), patient_id(), number))
