"""The demo's reader: real prints of invented fingers, through the real door, and nothing outside the demo."""

from __future__ import annotations

import json
import stat

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import station as models
from ost.services import device_health
from ost.services import simulate_touch as panel
from ost.services.enrol_demo import demo_finger_seed, enrol_synthetic
from ost.services.gallery import PrintGallery
from tests.make import make_account, make_clinic, make_patient, make_prescription
from tests.services.test_captures import counter, rows


@pytest.fixture
def clinic(house):
    return make_clinic(house)


@pytest.fixture
def gallery():
    return PrintGallery()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keys" / "stations"


@pytest.fixture
def enrolled(house, clinic, gallery):
    seen = []
    count = enrol_synthetic(
        house, gallery, [clinic.patient], lambda *at: seen.append(at), ("right_index",), (1, 2)
    )
    assert (count, seen) == (1, [(1, 1)])
    return clinic.patient


def test_a_person_of_the_demo_is_named_and_each_touch_falls_differently(house, clinic, gallery, folder, enrolled):
    for _ in range(2):
        answer = panel.press(house, gallery, folder, clinic.nurse, clinic.counter, enrolled)
        assert (answer.result, answer.code) == ("shown", None)
    assert counter(house).patient == enrolled
    captures = rows(house, models.capture)
    assert [c.simulated for c in captures] == [True, True]
    assert captures[0].sample_digest != captures[1].sample_digest
    key = folder / f"{clinic.counter}.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_each_button_comes_to_what_it_says(house, clinic, gallery, folder, enrolled):
    def press(button):
        return panel.press(house, gallery, folder, clinic.nurse, clinic.counter, button)

    assert press("wet").code in ("touch_again", "no_finger")
    assert press("wrong").code == "not_recognised"
    assert press("stranger").code == "not_recognised"
    assert press("unplug").code == "unplugged"
    assert rows(house, models.station)[0].reader_state == "unplugged"
    assert press(enrolled).code == "unplugged"
    assert json.loads(counter(house).notice)["code"] == "unplugged"
    press("plug")
    assert rows(house, models.station)[0].reader_state == "ready"
    assert press("vanish").code == "vanished"
    assert press(enrolled).code == "unplugged"
    press("plug")
    assert press(enrolled).result == "shown"
    assert len(rows(house, models.station)) == 1


def test_nothing_of_it_works_outside_the_demo(house, clinic, gallery, folder, enrolled):
    panel.press(house, gallery, folder, clinic.nurse, clinic.counter, enrolled)
    before = len(rows(house, models.capture))
    house.demo = False
    for call in (
        lambda: panel.press(house, gallery, folder, clinic.nurse, clinic.counter, enrolled),
        lambda: panel.make_demo_stations(house, folder),
        lambda: enrol_synthetic(house, gallery, [clinic.patient]),
    ):
        with pytest.raises(Refusal, match="simulated_reader_refused"):
            call()
    # And were the panel's own guard gone: the door stays shut.
    demo = panel._station(house, folder, clinic.counter)
    touch = panel.Touch("simulated", True, "not_captured", "unplugged")
    assert panel._post(house, gallery, demo, touch).code == "simulated_reader_refused"
    assert len(rows(house, models.capture)) == before


def test_only_who_works_at_the_counter_may_press(house, clinic, gallery, folder, enrolled):
    with pytest.raises(Refusal, match="not_permitted"):
        panel.press(house, gallery, folder, make_account(house, "auditor"), clinic.counter, enrolled)
    with pytest.raises(Refusal, match="counter_unknown"):
        panel.press(house, gallery, folder, clinic.nurse, "HUA1-77", enrolled)


def test_the_seed_is_this_houses_own(house, clinic):
    from dataclasses import replace

    from ost import keys

    seed = demo_finger_seed(house, clinic.patient, "right_index")
    assert seed == demo_finger_seed(house, clinic.patient, "right_index")
    assert seed != demo_finger_seed(house, clinic.patient, "left_index")
    assert seed != demo_finger_seed(replace(house, keys=keys.ephemeral()), clinic.patient, "right_index")


def test_enrolling_again_adds_nothing(house, clinic, gallery, enrolled):
    assert enrol_synthetic(house, gallery, [enrolled]) == 0
    assert len(rows(house, models.station)) == 0
    with house.read() as tx:
        from ost.models.patient import fingerprint

        kept = tx.execute(sa.select(fingerprint)).all()
    assert {(f.finger, f.impression) for f in kept} == {
        ("right_index", n) for n in (1, 2)
    }
    assert all(f.synthetic for f in kept)


def test_the_panel_offers_those_with_fingers(house, clinic, gallery, enrolled):
    other = make_patient(house)
    make_prescription(house, other)
    assert [p.patient for p in panel.people(house, "HUA1")] == [enrolled]


def test_stations_are_made_once_for_every_free_counter(house, clinic, folder):
    assert panel.make_demo_stations(house, folder) == 1
    assert panel.make_demo_stations(house, folder) == 0
    panel.beat(house, folder, clinic.counter)
    assert len(rows(house, models.station)) == 1


def test_the_practice_reader_is_among_the_administrators_readers(house, clinic, gallery, folder, enrolled):
    panel.make_demo_stations(house, folder)
    panel.press(house, gallery, folder, clinic.nurse, clinic.counter, enrolled)
    panel.press(house, gallery, folder, clinic.nurse, clinic.counter, "unplug")
    (station,) = device_health.at_site(house, make_account(house, "admin"), "HUA1")
    (device,) = station.devices
    assert (device.row.name, device.row.simulated, device.row.state) == ("practice", True, "unplugged")
    assert (device.touches, device.faults) == (1, 1)
