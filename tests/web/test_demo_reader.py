"""The practice panel's address: for who works at the counter, in the demo, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from ost.models import site as sites
from ost.services.enrol_demo import demo_finger_seed
from tests import make
from tests.plugins.clients import house_of
from tests.touch import enrol


def counter(house):
    with house.read() as tx:
        return tx.execute(sa.select(sites.counter)).one()


def test_a_button_is_a_touch(app, pages):
    house = house_of(app)
    clinic = make.make_clinic(house, came_yesterday=False)
    enrol(house, clinic.patient, demo_finger_seed(house, clinic.patient, "right_index"), impressions=2)
    browser = pages(clinic.nurse, site=clinic.site, counter=clinic.counter)
    path = f"/counter/{clinic.counter}/demo-reader"
    before = counter(house).version
    assert browser.post(path, {"finger": clinic.patient}).status_code == 204
    assert counter(house).patient == clinic.patient
    assert counter(house).version > before
    assert browser.post(path, {"finger": clinic.patient}, csrf=False).status_code >= 400
    assert browser.post("/counter/HUA1-9/demo-reader", {"finger": "wet"}).status_code == 404
    stranger = pages(make.make_account(house, "nurse", scope="TPE1"), site="TPE1")
    assert stranger.post(path, {"finger": clinic.patient}).status_code == 403
    keys = app.extensions["ost"].settings.keys / "stations"
    assert [f.stat().st_mode & 0o777 for f in keys.iterdir()] == [0o600]


def test_outside_the_demo_there_is_no_such_panel(app, pages):
    house = house_of(app)
    clinic = make.make_clinic(house, came_yesterday=False)
    browser = pages(clinic.nurse, site=clinic.site, counter=clinic.counter)
    ours = app.extensions["ost"]
    app.extensions["ost"] = replace(ours, settings=replace(ours.settings, mode="production"))
    answer = browser.post(f"/counter/{clinic.counter}/demo-reader", {"finger": "wet"})
    assert answer.status_code == 404
    assert counter(house).version == 1
    assert not (ours.settings.keys / "stations").exists()
