"""A counter whose dose has no outcome pours for nobody else; one id for two people names one dose."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import dose, site
from ost.services.outcome import Ending, end
from ost.services.promise import promise
from ost.services.verify import verify
from ost.services.work import new_id
from tests.make import (
    dose_request,
    give,
    make_clinic,
    make_counter,
    make_patient,
    make_prescription,
    make_site,
)


@pytest.fixture
def clinic(house):
    return make_clinic(house)


@pytest.fixture
def other(house, clinic):
    person = make_patient(house)
    make_prescription(house, person, elsewhere_on=house.now().date() - timedelta(days=1), sites=(clinic.site,))
    return person


def count(house, table) -> int:
    with house.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_an_old_window_does_not_take_the_card_from_an_open_dose(house, clinic, other):
    first = give(house, clinic, counter=clinic.counter)
    before = count(house, dose.dose_attempt), count(house, dose.refusal)
    with pytest.raises(Refusal) as refused:
        give(house, clinic, patient_id=other, counter=clinic.counter)
    assert refused.value.code == "counter_holds_other_dose"
    assert before == (count(house, dose.dose_attempt), count(house, dose.refusal))
    with house.read() as tx:
        held = tx.execute(sa.select(site.counter).where(site.counter.c.id == clinic.counter)).one()
    assert (held.patient, held.dose) == (clinic.patient, first.dose_id)
    end(house, clinic.nurse, Ending(first.dose_id, "swallowed"))
    assert give(house, clinic, patient_id=other, counter=clinic.counter).state == "promised"
    assert verify(house).passed


def test_two_windows_at_one_moment_pour_once(house, clinic, other):
    def tap(person):
        try:
            return give(house, clinic, patient_id=person, counter=clinic.counter).state
        except Refusal as refused:
            return refused.code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(tap, [clinic.patient, other])) == ["counter_holds_other_dose", "promised"]
    assert verify(house).passed


def test_the_answer_is_given_again_while_its_dose_holds_the_counter(house, clinic):
    request = dose_request(clinic, counter=clinic.counter)
    assert promise(house, clinic.nurse, request).state == "promised"
    assert promise(house, clinic.nurse, request).again


def test_a_counter_of_another_site_is_unknown(house, clinic):
    make_site(house, "TPE1", county="TPE")
    elsewhere = make_counter(house, "TPE1")
    with pytest.raises(Refusal) as refused:
        give(house, clinic, counter=elsewhere)
    assert refused.value.code == "counter_unknown"


def test_one_id_for_a_dose_and_a_refusal_still_answers_both(house, clinic, other):
    """Two patients, one id, one moment: the keys of both tables take it (seen from inside a race)."""
    dose_id = new_id()
    good, bad = dose_request(clinic, dose_id=dose_id), dose_request(clinic, dose_id=dose_id, seen_dose_ug=1)
    refused = dose_request(clinic, seen_dose_ug=1)
    assert promise(house, clinic.nurse, refused).state == "refused"
    assert promise(house, clinic.nurse, good).state == "promised"
    with house.read() as tx:
        row = dict(tx.execute(sa.select(dose.refusal)).one()._mapping)
    with house.work(clinic.nurse, clinic.site, "test.raced", patient=clinic.patient) as work:
        work.add(dose.refusal, **{**row, "id": dose_id, "content_digest": bad.content_digest()})
    assert promise(house, clinic.nurse, good).state == "promised"
    assert promise(house, clinic.nurse, bad).state == "refused"
    with pytest.raises(Refusal) as reused:
        promise(house, clinic.nurse, dose_request(clinic, dose_id=dose_id, patient_id=other))
    assert reused.value.code == "dose_id_reused"
