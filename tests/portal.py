"""What tests of the patients' door share: a sign-in as a browser does it and as the service does, and every address
that a patient can reach."""

from __future__ import annotations

import re

import pyotp
import sqlalchemy as sa
from argon2 import PasswordHasher

from ost.gate import portal_cookie_name
from ost.http import PATIENT, marks_of
from ost.models.patient import patient
from ost.services.messages import contacts
from ost.services.portal import factors, sessions
from ost.services.portal import sign_in as service
from ost.services.portal.sign_in import Place
from ost.services.work import Actor
from tests import make
from tests.plugins.clients import Pages, house_of

#: What a hash costs is argon2's; tests of the door compute many.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
#: Two browsers of one person.
HERE = Place("device-a", "Chrome, Android")
THERE = Place("device-b", "Firefox, Windows")
#: What a page and all it asks for may weigh.
MOST_BYTES = 100_000


def number_of(app, person: str) -> str:
    with house_of(app).read() as tx:
        return tx.execute(sa.select(patient.c.number).where(patient.c.id == person)).scalar_one()


def change(app, person: str, **values) -> None:
    with house_of(app).db.begin() as tx:
        tx.execute(sa.update(patient).where(patient.c.id == person).values(**values))


def sign_in(browser: Pages, number: str, pin: str = make.PATIENT_PIN, **more):
    return browser.post("/me/sign-in", {"number": number, "pin": pin} | more)


def cookie_of(browser: Pages) -> str | None:
    found = browser.client.get_cookie(portal_cookie_name(browser.app))
    return found.value if found else None


def text_of(answer) -> str:
    """The page without what is new with every page: form tokens."""
    return re.sub(r'name="csrf_token" value="[^"]*"', "", answer.get_data(as_text=True))


def rules_of_patients(app):
    """(endpoint, method, rule) of everything that only a signed-in patient reaches."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
            if marks_of(app.view_functions[rule.endpoint], method).door == PATIENT:
                yield rule.endpoint, method, rule


def address(rule, value: str) -> str:
    return re.sub(r"<(?:[^:>]+:)?[^>]+>", value, rule.rule)


def own_pages(app) -> list[str]:
    """Addresses without an id that a signed-in patient can open."""
    return sorted({r.rule for _, method, r in rules_of_patients(app) if method == "GET" and not r.arguments})


# --- without pages: the services themselves ---


def begin(house, number, typed=make.PATIENT_PIN, place=HERE):
    return service.begin(house, number, typed, place)


def session_of(house, done) -> sessions.PortalSession:
    return sessions.find(house, done.token)


def phone(house, person: str) -> str:
    """A telephone that was found to be theirs."""
    actor = Actor(f"patient:{person}")
    id_ = contacts.set(house, actor, person, contacts.SMS, "0912 345 678")
    with house.db.begin() as tx:
        tx.execute(sa.text("UPDATE patient_contact SET verified_at = at"))
    return id_


def set_patient(house, clinic, **values):
    with house.db.begin() as tx:
        tx.execute(sa.update(patient).where(patient.c.id == clinic.patient).values(**values))


def switch_on(house, number, kind):
    """(session, secret) of a person whose sign-in asks for a code."""
    here = session_of(house, begin(house, number))
    if kind == "sms":
        phone(house, here.patient)
        factors.set_sms(house, here, True, make.PATIENT_PIN)
        return here, None
    secret = factors.begin_totp(house, here, make.PATIENT_PIN)
    assert not factors.asked(house, here.patient).any, "not asked for before it was confirmed"
    assert factors.confirm_totp(house, here, pyotp.TOTP(secret).at(house.now()))
    return here, secret
