"""Fees as people see them: who may look, files read back by other programs, payments, and one's own costs."""

from __future__ import annotations

import io
import re
from datetime import date

import openpyxl
import pytest
import sqlalchemy as sa
from odf.opendocument import load as load_ods
from odf.table import TableCell, TableRow
from odf.teletype import extractText
from pypdf import PdfReader

from ost.reports import fees as paper
from ost.services.fees import charge, receipts, settle, tariff
from ost.services.work import SYSTEM
from tests.make import make_account, make_clinic, make_guest_site, make_patient, make_site
from tests.plugins.clients import house_of
from tests.services.feeing import DAY, charges, make_tariff, network, subject

NASTY = '=HYPERLINK("http://evil","x")'


@pytest.fixture
def house(app, clock):
    return house_of(app)


@pytest.fixture
def clinic(house):
    found = make_clinic(house, came_yesterday=False)
    make_site(house, "TPE1", county="TPE", name_en=NASTY, name_zh_hant=NASTY, name_zh_hans=NASTY)
    make_guest_site(house, "TPE1")
    make_tariff(house, percent=60)
    return found


def charged(house, clinic, *days, **values) -> list[str]:
    for day in days:
        charge._charge(house, subject(clinic.patient, day=day, **values))
    return [c.id for c in charges(house)]


@pytest.fixture
def settled(house, clinic, clock):
    """March: two doses and a signature nobody can price, between HUA1 and a site with a nasty name."""
    charged(house, clinic, DAY, date(2026, 3, 31))
    with house.db.begin() as tx:
        tx.execute(sa.text("UPDATE site SET county = 'KIN' WHERE id = 'HUA1'"))
    house.memo.clear()
    tariff.add_item(
        house,
        network(house),
        item="set_up",
        county="KIN",
        patient_class="adult",
        amount_ntd=None,
        payer_share_percent=None,
        from_day=date(2020, 1, 1),
        to_day=None,
        source="nobody said",
        status="open",
    )
    charged(house, clinic, DAY, kind="set_up")
    clock.move_to("2026-04-05T00:00:00+00:00")
    [found] = settle.settle(house, SYSTEM, "2026-03")
    return found


def test_a_sheet_is_read_back_whole_and_runs_nothing(house, clinic, settled, pages):
    manager = pages(make_account(house, "case_manager"), site="HUA1")
    answer = manager.get(f"/fees/settlements/{settled.id}/file.xlsx")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    cells = [c for row in sheet.iter_rows() for c in row if c.value is not None]
    assert {c.data_type for c in cells} <= {"s", "n"}  # no formula, no error, no link
    assert not any(c.hyperlink for c in cells)
    values = [c.value for c in cells]
    assert f"'{NASTY}" in values and NASTY not in values
    rows = [[c.value for c in row] for row in sheet.iter_rows()]
    head = next(n for n, row in enumerate(rows) if row[-1] == "Own share, NT$")
    body = rows[head + 1 :]
    assert [row[5:] for row in body[:3]].count([200, 120, 80]) == 2
    assert ["not published"] * 3 in [row[5:] for row in body[:3]]
    assert body[3][5:] == [400, 240, 160]
    assert dict(row[:2] for row in rows[2:head])["Sum, NT$"] == 240


def test_an_open_document_is_read_back_whole(house, clinic, settled, pages):
    manager = pages(make_account(house, "case_manager", scope="TPE1"), site="TPE1")
    answer = manager.get(f"/fees/settlements/{settled.id}/file.ods")
    book = load_ods(io.BytesIO(answer.data))
    cells = book.spreadsheet.getElementsByType(TableCell)
    assert not any(cell.getAttribute("formula") for cell in cells)
    rows = [[extractText(c) for c in row.getElementsByType(TableCell)] for row in book.spreadsheet.getElementsByType(TableRow)]
    assert f"'{NASTY}" in [text for row in rows for text in row]
    assert ["Total", "", "", "", "", "400", "240", "160"] in rows
    numbers = [c for c in cells if c.getAttribute("valuetype") == "float"]
    assert 240 in {float(c.getAttribute("value")) for c in numbers}


def test_a_pdf_is_read_back_whole(house, clinic, settled, pages):
    manager = pages(make_account(house, "case_manager"), site="HUA1")
    answer = manager.get(f"/fees/settlements/{settled.id}/file.pdf")
    assert answer.content_type == "application/pdf"
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages)
    assert "Settlement 2026-03" in text and "240" in text and "not published" in text
    assert settled.digest[:12] in text.replace("\n", "")


def test_no_file_names_anybody(house, clinic, settled, pages):
    manager = pages(make_account(house, "case_manager"), site="HUA1")
    number = receipts.of_patient(house, clinic.patient).number
    found, lines = settle.one(house, SYSTEM, settled.id)
    sheet = paper.settlement(found, lines, {"HUA1": "a", "TPE1": "b"}, "en")
    shown = manager.get(f"/fees/settlements/{settled.id}").get_data(as_text=True)
    for text in (str(sheet), shown, paper.html(sheet, "en")):
        assert clinic.patient not in text and number not in text and "陳大明" not in text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "|x", "%x"])
def test_what_a_spreadsheet_might_run_is_quoted(text):
    assert paper.safe(text) == "'" + text
    assert paper.safe("臺北") == "臺北" and paper.safe("") == ""


def test_who_may_open_what(house, clinic, settled, pages):
    make_site(house, "KHH1", county="KHH")
    stranger = pages(make_account(house, "case_manager", scope="KHH1"), site="KHH1")
    for path in ("", "/file.xlsx", "/file.pdf"):
        assert stranger.get(f"/fees/settlements/{settled.id}{path}").status_code == 404
    assert stranger.get(f"/fees/people/{clinic.patient}").status_code in (403, 404)
    assert pages(make_account(house, "case_manager"), site="HUA1").get(f"/fees/settlements/{settled.id}/file.exe").status_code == 404
    nurse = pages(make_account(house, "nurse"), site="HUA1")
    assert nurse.get("/fees").status_code == 403 and nurse.get("/fees/unpaid").status_code == 200
    reader = pages(make_account(house, "health_department_reader", scope="HUA", scope_kind="county"))
    assert [reader.get(p).status_code for p in ("/fees", "/fees/unpaid", "/fees/prices")] == [403] * 3
    assert reader.get("/fees/sums").status_code == 200
    manager = pages(make_account(house, "case_manager"), site="HUA1")
    assert manager.post("/fees/settle", {"month": "2026-03"}).status_code == 403
    assert manager.post("/fees/prices/caps", {"cap_county": "HUA"}).status_code == 403


def test_a_month_settled_by_hand(house, clinic, pages, clock):
    charged(house, clinic, DAY)
    actor = network(house)
    admin = pages(actor, site="HUA1")
    for month in ("2026-03", "March", "=1"):
        answer = admin.post("/fees/settle", {"month": month})
        assert answer.status_code == 422, month
        assert "f-month-error" in answer.get_data(as_text=True)
    clock.move_to("2026-04-01T00:00:00+00:00")
    admin = pages(actor, site="HUA1")
    assert admin.post("/fees/settle", {"month": "2026-03"}).status_code == 303
    assert "2026-03" in admin.get("/fees").get_data(as_text=True)


def test_paying_at_the_desk(house, clinic, pages):
    ids = charged(house, clinic, DAY, DAY)
    desk = pages(make_account(house, "case_manager", scope="TPE1"), site="TPE1")
    assert receipts.of_patient(house, clinic.patient).number in desk.get("/fees/unpaid").get_data(as_text=True)
    path = f"/fees/people/{clinic.patient}"
    assert "NT$160" in desk.get(path).get_data(as_text=True)
    for wrong in ("", "abc", "159", "1.5", "９" * 40):
        answer = desk.post(f"{path}/pay", {"charge": ids, "paid_ntd": wrong})
        assert answer.status_code == 422 and "f-paid_ntd-error" in answer.get_data(as_text=True), wrong
    answer = desk.post(f"{path}/pay", {"charge": ids, "paid_ntd": "160"})
    assert answer.status_code == 303
    shown = desk.get(answer.headers["Location"]).get_data(as_text=True)
    assert "160" in shown
    again = desk.post(f"{path}/pay", {"charge": ids, "paid_ntd": "160"})
    assert again.headers["Location"] == answer.headers["Location"]
    pdf = desk.get(answer.headers["Location"] + "/paper")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.data)).pages)
    assert "160" in text and "陳大明" not in text
    assert not re.search(r"methadone|treatment|dose|drug|美沙冬|治療|給藥", text, re.IGNORECASE)
    elsewhere = pages(make_account(house, "case_manager", scope="HUA1"), site="HUA1")
    assert elsewhere.get(answer.headers["Location"]).status_code == 404


def test_a_price_is_added_with_its_source(house, clinic, pages):
    admin = pages(network(house), site="HUA1")
    form = {
        "item": "per_dose",
        "county": "HUA",
        "patient_class": "adult",
        "amount_ntd": "1,250",
        "payer_share_percent": "",
        "from_day": "115/4/1",
        "to_day": "",
        "source": "府衛字第 1 號",
        "status": "guideline",
    }
    for change in ({"source": ""}, {"amount_ntd": "-5"}, {"amount_ntd": "x"}, {"from_day": "soon"}, {"from_day": ""}):
        answer = admin.post("/fees/prices/items", form | change)
        assert answer.status_code == 422, change
        assert f"f-{next(iter(change))}-error" in answer.get_data(as_text=True)
    assert admin.post("/fees/prices/items", form).status_code == 303
    page = admin.get("/fees/prices").get_data(as_text=True)
    assert "府衛字第 1 號" in page and "1,250" in page
    with house.read() as tx:
        found = tariff.item_in_force(tx, "per_dose", "HUA", "adult", date(2026, 4, 1))
    assert (found.amount_ntd, found.payer_share_percent) == (1250, None)
    cap = {"cap_county": "HUA", "year": "2026", "cap_class": "adult", "cap_ntd": "30000", "cap_status": "weak"}
    answer = admin.post("/fees/prices/caps", cap | {"cap_source": ""})
    assert answer.status_code == 422 and "f-cap_source-error" in answer.get_data(as_text=True)
    assert admin.post("/fees/prices/caps", cap | {"cap_source": "letter"}).status_code == 303


def test_one_sees_ones_own_costs_and_nobody_elses(app, house, clinic, mine):
    ids = charged(house, clinic, DAY, DAY)
    desk = make_account(house, "case_manager", scope="TPE1")
    number = receipts.pay(house, desk, clinic.patient, "TPE1", ids[:1], 80)
    me = mine(clinic.patient)
    page = me.get("/me/costs").get_data(as_text=True)
    assert "NT$80" in page and f"Receipt {number}" in page
    assert not re.search(r"methadone|treatment|dose|美沙", re.search(r"<title>(.*?)</title>", page)[1], re.IGNORECASE)
    pdf = me.get(f"/me/costs/{number}")
    assert pdf.status_code == 200 and pdf.content_type == "application/pdf"
    other = mine(make_patient(house, "HUA1"))
    assert other.get(f"/me/costs/{number}").status_code == 404
    assert "NT$80" not in other.get("/me/costs").get_data(as_text=True)
    assert mine().get("/me/costs").status_code in (302, 303, 401)


def test_sums_hide_small_months(house, clinic, pages):
    charged(house, clinic, *[date(2026, 2, 1)] * 5, *[DAY] * 4)
    reader = pages(make_account(house, "health_department_reader", scope="HUA", scope_kind="county"))
    page = reader.get("/fees/sums").get_data(as_text=True)
    assert "1,000" in page and "fewer than 5" in page
    assert "800" not in page
