"""The desk in a real browser: every page at both sizes without a violation, and a person registered and treated."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import clock, keys
from ost.bench.makers import TZ
from ost.db import Database
from ost.models import patient, prescription, staff
from ost.services import holds, sessions, stock
from ost.services.work import House
from tests import make
from tests.plugins.browser import COUNTER, TELEPHONE

pytestmark = pytest.mark.story

TOO_WIDE = "document.documentElement.scrollWidth > window.innerWidth"


@pytest.fixture
def desk(sqlite_url, tmp_path, live_server, new_context):
    """`desk(role, language, size)`: a page of somebody signed in at a clinic that has seen a day; `desk.clinic`."""
    keys.create(tmp_path / "keys")
    database = Database(sqlite_url)
    house = House(database, keys.load(tmp_path / "keys"), demo=True)
    clinic = make.make_clinic(house)
    tomorrow = clock.dosing_day(house.now(), TZ) + timedelta(days=1)
    made = holds.place(
        house,
        clinic.nurse,
        clinic.patient,
        site_id="HUA1",
        kind="clinical",
        reason_code="medical_review",
        come_back_on=tomorrow,
    )
    assert make.give(house, clinic).state == "refused"
    pharmacist = make.make_account(house, "pharmacist")
    spare = make.make_bottle(house, volume_ul=5_000)
    stock.close_bottle(house, pharmacist, spare, site_id="HUA1", reason="end of day")
    server = live_server(sqlite_url)

    def sign_in(roles: tuple[str, ...], language: str = "zh_Hant_TW", size: dict = COUNTER):
        actor = make.make_account(house, *roles)
        with house.work(actor, None, "test.session") as work:
            token, _ = sessions.start(work, account=actor.id, kind=sessions.PAGE, device="test")
            s = staff.web_session
            work.tx.execute(sa.update(s).where(s.c.id == sessions.token_id(token)).values(site="HUA1"))
        context = new_context(viewport=size)
        cookies = {"ost": token, "ost_language": language}
        context.add_cookies([{"name": n, "value": v, "url": server.url} for n, v in cookies.items()])
        page = context.new_page()
        page.desk_url = server.url
        return page

    sign_in.clinic, sign_in.house, sign_in.hold = clinic, house, made
    yield sign_in
    database.close()


def every_page(clinic) -> dict[tuple[str, ...], list[str]]:
    person, order = clinic.patient, clinic.order
    return {
        ("prescriber",): [
            "/prescriber",
            "/patients",
            "/patients/new",
            f"/patients/{person}",
            f"/prescriber/patients/{person}/order",
            f"/prescriber/patients/{person}/order/{order}",
            f"/prescriber/patients/{person}/order/{order}/stop",
            "/admin/policy",
        ],
        ("pharmacist",): [
            "/stock",
            "/stock/receive",
            f"/stock/bottles/{clinic.bottle}",
            f"/stock/bottles/{clinic.bottle}/label",
            f"/stock/bottles/{clinic.bottle}/count",
            "/stock/residue/methadone-10",
            "/stock/balance",
        ],
        ("registrar",): [f"/patients/{person}/fingers"],
        ("admin",): ["/admin"],
    }


@pytest.mark.parametrize(
    ("language", "size"),
    [("zh_Hant_TW", COUNTER), ("en", TELEPHONE)],
    ids=["traditional-counter", "english-telephone"],
)
def test_every_page_of_the_desk_stands_without_a_violation(desk, axe, language, size):
    for roles, paths in every_page(desk.clinic).items():
        page = desk(roles, language, size)
        for path in paths:
            answer = page.goto(page.desk_url + path)
            assert answer.status == 200, path
            assert page.locator("h1").count() == 1, path
            assert not page.evaluate(TOO_WIDE), f"{path} is wider than the screen"
            axe(page)


def test_a_person_is_registered_read_back_and_given_a_first_order(desk):
    page = desk(("prescriber",), "en")
    page.goto(page.desk_url + "/patients/new")
    page.fill("#f-name", "林陳秀琴")
    page.fill("#f-national_id", "A123456788")
    page.fill("#f-birth_date", "68/5/3")
    page.check("input[name=sex][value=female]")
    page.click("text=Read it back")
    page.wait_for_selector("#f-national_id-error")
    assert page.input_value("#f-name") == "林陳秀琴"
    page.fill("#f-national_id", "A123456789")
    page.click("main button.button--primary")
    page.wait_for_selector("text=1979-05-03")
    page.click("text=It is right: register")
    page.wait_for_selector(".id-card img")
    page.click("text=To the record")
    page.click("text=Write a prescription")
    page.fill("#f-dose", "25")
    page.click("text=Check against the policy")
    page.wait_for_selector("input[name=signed]")
    page.click("button[value=write]")
    page.wait_for_selector("text=Not written")
    page.check("input[name=signed]")
    page.click("button[value=write]")
    page.wait_for_url("**/patients/*")
    assert "25" in page.locator("table").first.inner_text()
    with desk.house.read() as tx:
        found = tx.execute(
            sa.select(prescription.prescription.c.dose_ug)
            .join(patient.patient, patient.patient.c.id == prescription.prescription.c.patient)
            .where(patient.patient.c.id != desk.clinic.patient)
        ).scalars()
        assert list(found) == [25_000]


def test_a_hold_is_placed_from_the_record_by_keyboard_and_released_from_the_work_list(desk):
    page = desk(("prescriber",), "en")
    page.goto(f"{page.desk_url}/patients/{desk.clinic.patient}")
    page.click("[data-opens=hold]")
    page.select_option("#f-reason_code", "medical_review")
    page.fill("#f-come_back_on", "2099-01-01")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=On hold")
    page.goto(page.desk_url + "/prescriber")
    assert page.locator("table form button").count() == 2
    page.locator("table form button").first.click()
    page.wait_for_load_state()
    assert page.locator("table form button").count() == 1
