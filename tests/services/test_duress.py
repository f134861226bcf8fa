"""The finger that calls for help: nothing anybody else can see differs, and one clinician knows."""

from __future__ import annotations

import json
import re

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit
from ost.models import site as sites
from ost.models import station as models
from ost.models.base import metadata
from ost.models.identity import duress_finger, quiet_alert, quiet_alert_seen
from ost.services import alerts, duress
from ost.services import identify_at_counter as at_counter
from ost.services.verify import verify
from tests.make import give, make_account, make_clinic, make_patient, make_prescription, make_site
from tests.services.test_captures import counter, rows
from tests.touch import enrol, make_station

EVERYDAY, QUIET, NEIGHBOUR = 101, 102, 103


@pytest.fixture
def clinic(house):
    clinic = make_clinic(house)
    enrol(house, clinic.patient, EVERYDAY, "right_index")
    enrol(house, clinic.patient, QUIET, "left_thumb")
    return clinic


@pytest.fixture
def station(house, clinic):
    return make_station(house, clinic.counter)


@pytest.fixture
def chosen(house, clinic):
    """The patient chose the left thumb, with a case manager, and the prescriber as the one it tells."""
    setter = make_account(house, "case_manager")
    duress.set_answer(house, setter, clinic.patient, "left_thumb", clinic.prescriber.id)
    return setter


def numbers(house, actor):
    return [each.patient for each in alerts.alerts(house, actor)]


def shape(value):
    """What stands there, with what differs from touch to touch (ids, digests, instants, scores) taken out."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", text)
    text = re.sub(r"[0-9a-f]{32,}", "<digest>", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][0-9:.]+(Z|\+00:00)?", "<at>", text)
    text = re.sub(r'("(score_e4|quality|number|version|\w+_ms)"): "\d+"', r"\1", text)
    # Beside each capture stands which finger it was, of everybody's; that one of them is quiet stands nowhere.
    return re.sub(r'("finger"): "(right_index|left_thumb)"', r"\1", text)


def surface(house, station, finger, capsys):
    """Everything a touch leaves where anybody but the chosen clinician may look."""
    with house.read() as tx:
        before = {t.name: set(map(tuple, tx.execute(sa.select(t)))) for t in metadata.sorted_tables}
    capsys.readouterr()
    answer = station.touch(finger)
    said = capsys.readouterr()
    with house.read() as tx:
        after = {t.name: [tuple(r) for r in tx.execute(sa.select(t))] for t in metadata.sorted_tables}
        names = {t.name: [c.name for c in t.columns] for t in metadata.sorted_tables}
    new = {
        name: sorted(
            shape({c: str(v) for c, v in zip(names[name], row, strict=True)}) for row in found if row not in before[name]
        )
        for name, found in after.items()
    }
    return shape(vars_of(answer)), shape(said.out + said.err), {k: v for k, v in new.items() if v}


def vars_of(answer):
    return {name: getattr(answer, name) for name in answer.__slots__}


def test_a_duress_touch_looks_like_any_other_everywhere(house, clinic, station, chosen, capsys):
    """API answer, log, and every row of every table: the shapes are the same; the MACs are not to be told apart."""
    station.touch(EVERYDAY)  # both below are the second arrival of the day, on a counter that shows this person
    usual = surface(house, station, EVERYDAY, capsys)
    duress_ = surface(house, station, QUIET, capsys)
    assert usual == duress_
    assert "quiet_alert" in usual[2], "every touch that names somebody leaves the row"
    [event] = usual[2]["audit_event"]
    assert "duress" not in event and "clinician" not in event
    assert numbers(house, clinic.prescriber) == [clinic.patient]
    assert verify(house).passed


def test_at_hand_over_too_and_the_dose_goes_on(house, clinic, station, chosen, capsys):
    station.touch(EVERYDAY)
    promised = give(house, clinic, counter=clinic.counter)
    assert station.touch(QUIET, impression=11).result == "confirmed"
    evidence = [e for e in rows(house, models.identity_evidence) if e.purpose == "hand_over"]
    assert [(e.path, e.dose) for e in evidence] == [("finger", promised.dose_id)]
    assert counter(house).notice is None
    assert numbers(house, clinic.prescriber) == [clinic.patient]


def test_only_the_chosen_clinician_hears_of_it(house, clinic, station, chosen):
    station.touch(QUIET)
    other = make_account(house, "prescriber")
    for actor in (chosen, other, clinic.nurse, make_account(house, "admin")):
        assert alerts.alerts(house, actor) == []
    [alert] = alerts.alerts(house, clinic.prescriber)
    assert (alert.site, alert.seen) == ("HUA1", False)
    for actor in (chosen, other):
        with pytest.raises(Refusal, match="alert_unknown"):
            alerts.mark_seen(house, actor, alert.id)
    assert rows(house, quiet_alert_seen) == []


def test_seen_is_kept_once_and_names_no_touch(house, clinic, station, chosen):
    station.touch(QUIET)
    [alert] = alerts.alerts(house, clinic.prescriber)
    for _ in range(2):
        alerts.mark_seen(house, clinic.prescriber, alert.id)
    [kept] = rows(house, quiet_alert_seen)
    assert alert.id not in str(tuple(kept))
    [event] = [e for e in rows(house, audit.audit_event) if e.kind == "alert.seen"]
    assert (event.patient, event.actor) == (None, clinic.prescriber.id)
    assert alert.id not in event.payload + event.rows and clinic.patient not in event.payload + event.rows
    assert alerts.unseen(house, clinic.prescriber) == 0 and len(alerts.alerts(house, clinic.prescriber)) == 1
    assert verify(house).passed


def test_an_everyday_finger_alerts_nobody(house, clinic, station, chosen):
    station.touch(EVERYDAY)
    assert alerts.alerts(house, clinic.prescriber) == []
    assert len(rows(house, quiet_alert)) == 1


def test_later_touches_are_found_by_a_page_that_has_looked_before(house, clinic, station, chosen, clock):
    assert alerts.alerts(house, clinic.prescriber) == []
    clock.shift(3600)
    station.touch(QUIET)
    assert len(alerts.alerts(house, clinic.prescriber)) == 1
    clock.shift(alerts.KEPT.total_seconds() + 60)
    assert alerts.alerts(house, clinic.prescriber) == []


def test_a_touch_at_another_site_tells_the_home_clinician(house, clinic, chosen):
    make_site(house, "TPE1", "TPE")
    from tests.make import make_counter

    make_prescription(house, clinic.patient, sites=("TPE1",))
    station = make_station(house, make_counter(house, "TPE1"), site="TPE1")
    assert station.touch(QUIET).result == "shown"
    assert [a.site for a in alerts.alerts(house, clinic.prescriber)] == ["TPE1"]


def test_a_face_tapped_after_that_finger_fitted_two_people_tells_too(house, clinic, station, chosen):
    neighbour = make_patient(house)
    make_prescription(house, neighbour)
    enrol(house, neighbour, QUIET, "right_thumb")
    assert station.touch(QUIET).result == "choose"
    assert alerts.alerts(house, clinic.prescriber) == []
    assert at_counter.by_face(house, clinic.nurse, clinic.counter, clinic.patient).result == "shown"
    assert numbers(house, clinic.prescriber) == [clinic.patient]


# --- the answer at rest ---------------------------------------------------------------------------


def test_everybody_who_enrols_has_an_answer_of_one_length(house, clinic, chosen):
    other = make_patient(house)
    enrol(house, other, NEIGHBOUR)
    enrol(house, other, EVERYDAY, "left_thumb")
    sealed = {r.patient: bytes(r.sealed) for r in rows(house, duress_finger)}
    assert set(sealed) == {clinic.patient, other}
    assert len({len(s) for s in sealed.values()}) == 1
    for text in (clinic.prescriber.id, "left_thumb"):
        assert all(text.encode() not in s for s in sealed.values())


def test_people_of_before_get_their_answer_with_the_first_that_is_given(house, clinic):
    other = make_patient(house)
    enrol(house, other, NEIGHBOUR)
    with house.db.begin() as tx:
        tx.execute(sa.delete(duress_finger))
    setter = make_account(house, "case_manager")
    duress.set_answer(house, setter, clinic.patient, "left_thumb", clinic.prescriber.id)
    assert {r.patient for r in rows(house, duress_finger)} == {clinic.patient, other}


def test_the_record_says_that_it_was_asked_and_not_what_was_answered(house, clinic):
    setter = make_account(house, "case_manager")
    seen = []
    for finger, clinician in (("left_thumb", clinic.prescriber.id), (duress.AS_IT_IS, ""), (duress.NO_FINGER, "")):
        before = len(rows(house, audit.audit_event))
        duress.set_answer(house, setter, clinic.patient, finger, clinician)
        [event] = rows(house, audit.audit_event)[before:]
        seen.append((event.kind, event.payload, shape(event.rows)))
    assert len(set(seen)) == 1
    assert len({len(bytes(r.sealed)) for r in rows(house, duress_finger)}) == 1


def test_who_cannot_see_the_answer_does_not_wipe_it_by_saving(house, clinic, station, chosen):
    assert duress.mine(house, chosen, clinic.patient) == duress.NONE  # the setter sees it no more
    duress.set_answer(house, chosen, clinic.patient, duress.AS_IT_IS, "")
    assert duress.mine(house, clinic.prescriber, clinic.patient).finger == "left_thumb"
    duress.set_answer(house, chosen, clinic.patient, duress.NO_FINGER, "")
    station.touch(QUIET)
    assert alerts.alerts(house, clinic.prescriber) == []


def test_what_can_be_chosen(house, clinic):
    setter = make_account(house, "case_manager")
    far = make_account(house, "prescriber", scope="TPE1")
    assert dict(duress.clinicians(house, setter, clinic.patient)).keys() == {setter.id, clinic.prescriber.id}
    wrong = [
        ("right_little", clinic.prescriber.id, "finger"),
        ("left_thumb", "", "clinician"),
        ("left_thumb", clinic.nurse.id, "clinician"),
        ("left_thumb", far.id, "clinician"),
        ("", clinic.prescriber.id, "finger"),
    ]
    for finger, clinician, field in wrong:
        with pytest.raises(Refusal) as refused:
            duress.set_answer(house, setter, clinic.patient, finger, clinician)
        assert set(refused.value.fields) == {field}
    lone = make_patient(house)
    enrol(house, lone, NEIGHBOUR)
    with pytest.raises(Refusal) as refused:
        duress.set_answer(house, setter, lone, "right_index", clinic.prescriber.id)
    assert refused.value.fields == {"finger": ["duress_needs_two_fingers"]}


def test_who_may_not(house, clinic):
    for actor in (clinic.nurse, make_account(house, "admin"), make_account(house, "prescriber", scope="TPE1")):
        with pytest.raises(Refusal, match="not_permitted"):
            duress.set_answer(house, actor, clinic.patient, "left_thumb", clinic.prescriber.id)
        with pytest.raises(Refusal, match="not_permitted"):
            duress.mine(house, actor, clinic.patient)


def test_a_row_moved_to_another_person_opens_for_nobody(house, clinic, station, chosen):
    other = make_patient(house)
    enrol(house, other, NEIGHBOUR)
    with house.db.begin() as tx:
        stolen = tx.execute(sa.select(duress_finger.c.sealed).where(duress_finger.c.patient == clinic.patient)).scalar()
        tx.execute(sa.update(duress_finger).where(duress_finger.c.patient == other).values(sealed=stolen))
    assert duress.mine(house, clinic.prescriber, other) == duress.NONE


def test_two_alerts_to_one_clinician_do_not_look_alike(house, clinic, station, chosen):
    for _ in range(2):
        station.touch(QUIET)
        station.touch(EVERYDAY)
    assert len({r.told for r in rows(house, quiet_alert)}) == 4
    assert len(alerts.alerts(house, clinic.prescriber)) == 2
    assert rows(house, sites.arrival)[0].patient == clinic.patient
