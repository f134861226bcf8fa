"""A scanner is a keyboard: what it types belongs to the counter, whatever field has the cursor."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ost import keys
from ost.db import Database
from ost.models import site
from ost.services import counter_session, patients, sessions
from ost.services.work import House
from tests.make import PATIENT_PIN, make_account, make_clinic

pytestmark = pytest.mark.story

#: As a scanner does it: a key every 5 ms by the keyboard's own clock, Enter last. A key nobody took goes into the field.
SCAN = """(text) => {
  const el = document.activeElement;
  let at = performance.now();
  for (const key of [...text, "Enter"]) {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
    Object.defineProperty(event, "timeStamp", { value: (at += 5) });
    if (el.dispatchEvent(event) && key !== "Enter" && "value" in el) el.value += key;
  }
}"""


@pytest.fixture
def counter(sqlite_url, tmp_path, live_server, page):
    """A counter's page in a browser: (page, database, clinic, the patient's card)."""
    keys.create(tmp_path / "keys")
    database = Database(sqlite_url)
    house = House(database, keys.load(tmp_path / "keys"), demo=True)
    clinic = make_clinic(house)
    card = patients.reissue_card(house, make_account(house, "registrar"), clinic.patient)
    with house.work(clinic.nurse, None, "test.session") as work:
        token, _ = sessions.start(work, account=clinic.nurse.id, kind=sessions.PAGE, device="test")
        s = sa.table("web_session", sa.column("id"), sa.column("site"), sa.column("counter"))
        own = sessions.token_id(token)
        work.tx.execute(sa.update(s).where(s.c.id == own).values(site=clinic.site, counter=clinic.counter))
    counter_session.open_session(house, clinic.nurse, clinic.counter, own)
    server = live_server(sqlite_url)
    page.context.add_cookies([{"name": "ost", "value": token, "url": server.url}])
    page.goto(f"{server.url}/counter/{clinic.counter}")
    page.wait_for_selector("#find-text")
    yield page, database, clinic, card
    database.close()


def patient_at(database, counter_id):
    with database.read() as tx:
        return tx.execute(sa.select(site.counter.c.patient).where(site.counter.c.id == counter_id)).scalar_one()


def test_a_card_scanned_into_a_field_calls_the_person_and_leaves_the_field_as_it_was(counter):
    page, database, clinic, card = counter
    page.fill("#find-text", "00")
    page.focus("#find-text")
    page.evaluate(SCAN, card)
    page.wait_for_selector("#card-pin:focus")
    assert page.input_value("#find-text") == "00"
    page.keyboard.type(PATIENT_PIN)
    page.keyboard.press("Enter")
    page.wait_for_selector(f'#person[data-person="{clinic.patient}"]')
    assert page.input_value("#find-text") == "00"
    assert patient_at(database, clinic.counter) == clinic.patient


def test_letters_do_nothing_by_themselves(counter):
    page, database, clinic, _ = counter
    before = page.locator("#person").get_attribute("data-screen")
    page.locator("#person").focus()
    page.keyboard.type("abcdefghijklmnopqrstuvwxyz0123456789 ")
    page.wait_for_timeout(1500)  # longer than the page takes to ask what is new
    assert page.locator("#person").get_attribute("data-screen") == before
    assert page.locator("dialog[open]").count() == 0
    assert patient_at(database, clinic.counter) is None
