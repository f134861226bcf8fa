"""The ways of showing who one is without a finger: of equal standing, chosen by the site, each try kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models import audit, staff
from ost.models import station as models
from ost.models.identity import identity_try, site_identity_choice
from ost.models.patient import patient
from ost.services import identify_at_counter as at_counter
from ost.services import identity_choice, patients, sessions
from ost.services.card_pin import WAITS, asked, give_pin
from ost.services.counter_page import pulse
from ost.services.identify_at_counter import Second
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from ost.services.witness import IDENTITY
from tests.make import (
    PATIENT_PIN,
    give,
    make_account,
    make_clinic,
    make_counter,
    make_patient,
    make_prescription,
    make_site,
    make_witness,
)
from tests.plugins.clients import PIN, make_person
from tests.services.test_captures import counter, rows
from tests.touch import enrol, make_station

SECOND = Second("wu", PIN)
REASON = "patient_prefers"
BORN = "68/5/3"


@pytest.fixture
def clinic(house):
    clinic = make_clinic(house)
    make_person(house, "nurse", username="wu")
    return clinic


@pytest.fixture
def admin(house, clinic):
    return make_account(house, "admin")


@pytest.fixture
def stranger(house, clinic):
    make_site(house, "TPE1", "TPE")
    person = make_patient(house, "TPE1", name="王阿明")
    make_prescription(house, person, sites=("TPE1",))
    return person


def number_of(house, person):
    with house.read() as tx:
        return tx.execute(sa.select(patient.c.number).where(patient.c.id == person)).scalar_one()


def card_of(house, person):
    with house.read() as tx:
        site = tx.execute(sa.select(patient.c.home_site).where(patient.c.id == person)).scalar_one()
    return patients.reissue_card(house, make_account(house, "registrar", scope=site), person)


def scan(house, clinic, code, counter_id=None):
    return at_counter.by_card(house, clinic.nurse, counter_id or clinic.counter, code)


def typed(house, clinic, pin=PATIENT_PIN, counter_id=None):
    return give_pin(house, clinic.nurse, counter_id or clinic.counter, pin)


def by_number(house, clinic, person=None, reason=REASON, second=SECOND, actor=None):
    number = number_of(house, person or clinic.patient)
    return at_counter.by_number(house, actor or clinic.nurse, clinic.counter, number, reason, second)


def by_document(house, clinic, person=None, kind="national_id_card", born=BORN, reason=REASON):
    number = number_of(house, person or clinic.patient)
    return at_counter.by_document(house, clinic.nurse, clinic.counter, number, kind, born, reason)


def tries(house):
    return [(t.path, t.result, t.code) for t in rows(house, identity_try)]


def nobody_is_named(house):
    """A try that failed names no patient: not in its row, nor in its event."""
    people = {p.id for p in rows(house, patient)}
    failed = [t for t in rows(house, identity_try) if t.result == "refused"]
    assert failed
    assert not people & {str(v) for t in failed for v in t}
    events = [e for e in rows(house, audit.audit_event) if e.kind == "identity.refused"]
    assert len(events) == len(failed)
    assert all(e.patient is None and not any(p in e.payload for p in people) for e in events)


# --- each way calls the person, and is kept the same way -------------------------------------


@pytest.mark.parametrize("way", ["card", "number_face", "document"])
def test_each_way_calls_the_person_and_gives_the_same_dose(house, clinic, way):
    if way == "card":
        scan(house, clinic, card_of(house, clinic.patient))
        shown = typed(house, clinic)
    else:
        shown = (by_number if way == "number_face" else by_document)(house, clinic)
    assert (shown.result, shown.patient, shown.arrival_number) == ("shown", clinic.patient, 1)
    assert counter(house).patient == clinic.patient
    [kept] = rows(house, identity_try)
    [evidence] = rows(house, models.identity_evidence)
    assert (kept.path, kept.result, kept.evidence) == (way, "shown", evidence.id)
    assert (evidence.path, evidence.purpose, evidence.patient) == (way, "arrival", clinic.patient)
    promised = give(house, clinic, counter=clinic.counter)
    assert promised.state == "promised"
    # At hand-over nobody is asked more than with a finger: the card alone, or one tap on the face.
    if way == "card":
        done = at_counter.confirm_by_card(house, clinic.nurse, clinic.counter, promised.dose_id, card_of(house, clinic.patient))
    else:
        done = at_counter.confirm_by_face(house, clinic.nurse, clinic.counter, promised.dose_id, REASON)
    assert done.result == "confirmed"
    ended = end(house, clinic.nurse, Ending(promised.dose_id, "swallowed"))
    assert "identity_not_confirmed_at_hand_over" not in ended.flags
    assert verify(house).passed


def test_who_was_second_and_which_paper_it_was_are_kept(house, clinic):
    by_number(house, clinic)
    by_document(house, clinic, kind="passport")
    face, paper = rows(house, identity_try)
    wu = next(a.id for a in rows(house, staff.account) if a.username == "wu")
    assert (face.second, face.reason, face.account) == (wu, REASON, clinic.nurse.id)
    assert (paper.document, paper.second) == ("passport", None)


# --- what the site chooses -----------------------------------------------------------------------


def test_a_site_uses_all_that_its_pack_allows_until_it_chooses(house, clinic, admin):
    allowed, choice = identity_choice.offered(house, admin, "HUA1")
    assert allowed == choice.paths == ("finger", "card", "number_face", "document")
    assert choice.alone is False


def test_each_way_is_refused_where_the_site_does_not_use_it(house, clinic, admin):
    enrol(house, clinic.patient, 101)
    station = make_station(house, clinic.counter)
    code = card_of(house, clinic.patient)
    ways = {
        "finger": lambda: station.touch(101),
        "card": lambda: scan(house, clinic, code),
        "number_face": lambda: by_number(house, clinic),
        "document": lambda: by_document(house, clinic),
    }
    for closed in ways:
        identity_choice.choose(house, admin, "HUA1", set(ways) - {closed}, alone=False)
        said = ways[closed]()
        expected = "finger_not_in_use" if closed == "finger" else "identity_path_not_allowed"
        assert said.code == expected
        assert counter(house).patient is None
        for open_ in set(ways) - {closed}:
            assert ways[open_]().result in ("shown", "pin")
        at_counter.close_card(house, clinic.nurse, clinic.counter)
    refused = [t for t in rows(house, identity_try) if t.result == "refused"]
    assert sorted(t.path for t in refused) == ["card", "document", "number_face"]
    nobody_is_named(house)


def test_a_refused_way_asks_no_colleague_for_a_pin(house, clinic, admin):
    identity_choice.choose(house, admin, "HUA1", ["card"], alone=False)
    by_number(house, clinic)
    assert rows(house, staff.witness_token) == []


def test_hand_over_is_the_packs_business_alone(house, clinic, admin):
    enrol(house, clinic.patient, 101)
    station = make_station(house, clinic.counter)
    station.touch(101)
    promised = give(house, clinic, counter=clinic.counter)
    identity_choice.choose(house, admin, "HUA1", ["document"], alone=True)
    assert station.touch(101, impression=12).result == "confirmed"
    confirmed = at_counter.confirm_by_face(house, clinic.nurse, clinic.counter, promised.dose_id, REASON)
    assert confirmed.result == "confirmed"


@pytest.mark.parametrize(
    ("paths", "alone", "field"),
    [([], False, "paths"), (["finger"], False, "paths"), (["iris", "card"], False, "paths"), (["card"], True, "alone")],
)
def test_a_way_without_a_finger_always_stays(house, clinic, admin, paths, alone, field):
    with pytest.raises(Refusal) as refused:
        identity_choice.choose(house, admin, "HUA1", paths, alone)
    assert set(refused.value.fields) == {field}
    assert rows(house, site_identity_choice) == []


def test_who_chose_what_is_kept_and_the_newest_counts(house, clinic, admin, clock):
    identity_choice.choose(house, admin, "HUA1", ["card", "document"], alone=True)
    clock.shift(60)
    identity_choice.choose(house, admin, "HUA1", ["finger", "card"], alone=False)
    newest, before = identity_choice.history(house, admin, "HUA1")
    assert (newest.paths, before.paths, before.alone) == (("finger", "card"), ("card", "document"), True)
    assert [c.by for c in rows(house, site_identity_choice)] == [admin.id, admin.id]
    assert at_counter.ways_here(house, clinic.counter).paths == ("finger", "card")


def test_only_who_manages_the_site_chooses(house, clinic):
    other = make_account(house, "admin", scope="TPE1")
    for actor in (clinic.nurse, clinic.prescriber, other):
        with pytest.raises(Refusal, match="not_permitted"):
            identity_choice.choose(house, actor, "HUA1", ["card"], alone=False)


# --- card and PIN -----------------------------------------------------------------------------------


def test_a_card_alone_calls_nobody(house, clinic):
    assert scan(house, clinic, card_of(house, clinic.patient)).result == "pin"
    assert counter(house).patient is None
    assert rows(house, models.identity_evidence) == []
    assert tries(house) == []  # a try ends with the PIN


def test_a_wrong_pin_calls_nobody_and_may_be_typed_again(house, clinic):
    scan(house, clinic, card_of(house, clinic.patient))
    assert typed(house, clinic, "9182").code == "card_pin_wrong"
    assert counter(house).patient is None
    assert typed(house, clinic).result == "shown"
    assert tries(house) == [("card", "refused", "card_pin_wrong"), ("card", "shown", None)]
    nobody_is_named(house)


def test_guessing_is_slowed_and_tells_nothing_on_any_counter(house, clinic, clock):
    """Right or wrong, a try that has to wait says the same, is not looked at, and names nobody."""
    policy = policies.policy("tw")
    make_counter(house, number=2)
    code = card_of(house, clinic.patient)
    for n in range(policy.int("sign_in_free_tries")):
        place = f"HUA1-{n % 2 + 1}"
        scan(house, clinic, code, place)
        assert typed(house, clinic, "9182", place).code == "card_pin_wrong"
    said = []
    for guess in ("9183", PATIENT_PIN):
        scan(house, clinic, code)
        said.append(typed(house, clinic, guess))
    assert said[0] == said[1]
    assert (said[0].result, said[0].code, said[0].data) == ("refused", "pin_use_another_way", {})
    nobody_is_named(house)
    # Nobody else is held up by it, at this counter or another.
    other = make_patient(house)
    make_prescription(house, other)
    scan(house, clinic, card_of(house, other))
    assert typed(house, clinic).patient == other
    at_counter.close_card(house, clinic.nurse, clinic.counter)
    clock.shift(timedelta(minutes=policy.int("sign_in_lock_minutes")))
    scan(house, clinic, code)
    assert typed(house, clinic).result == "shown"


def test_a_thousand_guesses_are_not_looked_at(house, clinic):
    """Ten tries lock for the policy's minutes; the right PIN among the rest is refused like the others."""
    code = card_of(house, clinic.patient)
    scan(house, clinic, code)
    seen = {typed(house, clinic, "9182").code for _ in range(3)}
    for _ in range(5):
        scan(house, clinic, code)
        seen.add(typed(house, clinic, PATIENT_PIN).code)
    assert seen == {"card_pin_wrong", "pin_use_another_way"}
    assert rows(house, models.identity_evidence) == []


def test_a_card_waits_for_its_pin_only_so_long_and_at_its_own_counter(house, clinic, clock):
    make_counter(house, number=2)
    scan(house, clinic, card_of(house, clinic.patient))
    with pytest.raises(Refusal, match="card_again"):
        typed(house, clinic, counter_id="HUA1-2")
    clock.shift(WAITS + timedelta(seconds=1))
    with pytest.raises(Refusal, match="card_again"):
        typed(house, clinic)
    assert asked(pulse(house, clinic.nurse, clinic.counter).notice, house.now()) is None


def test_a_card_without_a_pin_leads_to_another_way(house, clinic):
    other = make_patient(house, pin_hash=None)
    make_prescription(house, other)
    assert scan(house, clinic, card_of(house, other)).code == "card_without_pin"
    assert by_document(house, clinic, other).result == "shown"


def test_a_pin_changed_in_between_is_the_one_that_counts(house, clinic, monkeypatch):
    """The old PIN was right when it was looked at; by the time the person is called it is not theirs any more."""
    scan(house, clinic, card_of(house, clinic.patient))
    registrar = make_account(house, "registrar")
    real = patients.pin_matches

    def slow(pin_hash, pin):
        right = real(pin_hash, pin)
        patients.set_pin(house, registrar, clinic.patient, "8306")
        return right

    monkeypatch.setattr(patients, "pin_matches", slow)
    assert typed(house, clinic).code == "card_pin_wrong"
    assert counter(house).patient is None


def test_a_strangers_card_with_the_right_pin_is_still_one_bit(house, clinic, stranger):
    scan(house, clinic, card_of(house, stranger))
    shown = typed(house, clinic)
    assert (shown.result, shown.code, shown.patient, shown.dosed_today) == ("nobody", "known_elsewhere", None, False)
    assert counter(house).patient is None and stranger not in counter(house).notice
    assert all(stranger not in str(tuple(t)) for t in rows(house, identity_try))
    looked = [a for a in rows(house, audit.record_access) if a.patient == stranger]
    assert [(a.site, a.page, a.why) for a in looked] == [("HUA1", "counter.card", "dosed_today")]


def test_a_strangers_card_with_a_wrong_pin_is_no_bit(house, clinic, stranger):
    scan(house, clinic, card_of(house, stranger))
    shown = typed(house, clinic, "9182")
    assert shown.dosed_today is None and "dosed_today" not in counter(house).notice
    assert [a for a in rows(house, audit.record_access) if a.patient == stranger] == []


def test_a_forgotten_person_is_nobody_by_any_way(house, clinic):
    gone = make_patient(house)
    number, code = number_of(house, gone), card_of(house, gone)
    scan(house, clinic, code)  # the card is in the hand when the key is destroyed
    patients.forget(house, make_account(house, "admin"), gone, "asked for it")
    assert typed(house, clinic).code == "card_pin_wrong"
    assert scan(house, clinic, code).code == "card_unknown"
    nurse, place = clinic.nurse, clinic.counter
    assert at_counter.by_number(house, nurse, place, number, REASON, SECOND).code == "number_unknown"
    assert at_counter.by_document(house, nurse, place, number, "passport", BORN, REASON).code == "number_unknown"
    nobody_is_named(house)


# --- number and face: two people ----------------------------------------------------------------------


def test_nobody_is_their_own_second(house, clinic):
    nurse = make_person(house, "nurse", username="lin")
    said = by_number(house, clinic, actor=nurse.actor, second=Second("lin", PIN))
    assert (said.result, said.code) == ("refused", "witness_is_you")
    assert counter(house).patient is None


@pytest.mark.parametrize("second", [Second("wu", "000111"), Second("nobody-at-all", PIN), Second("desk", PIN)])
def test_a_second_who_is_not_one_is_refused_and_kept(house, clinic, second):
    make_person(house, "registrar", username="desk")
    assert by_number(house, clinic, second=second).code == "witness_wrong"
    nobody_is_named(house)


def test_the_second_person_stands_here(house, clinic, stranger):
    """Not one of another site's, and not one who is at work at another site just now."""
    make_person(house, "nurse", username="far", scope="TPE1")
    assert by_number(house, clinic, second=Second("far", PIN)).code == "witness_wrong"
    both = make_person(house, "nurse", username="both", scope="*", scope_kind="network")
    with house.work(both.actor, None, "test.session") as work:
        token, _ = sessions.start(work, account=both.id, kind=sessions.PAGE, device="far away")
        s = staff.web_session
        work.tx.execute(sa.update(s).where(s.c.id == sessions.token_id(token)).values(site="TPE1"))
    assert by_number(house, clinic, second=Second("both", PIN)).code == "second_not_here"
    assert counter(house).patient is None
    with house.db.begin() as tx:
        tx.execute(sa.update(staff.web_session).values(ended_at=house.now()))
    assert by_number(house, clinic, second=Second("both", PIN)).result == "shown"


def test_number_and_face_need_a_reason_and_a_second(house, clinic):
    for reason in (None, "because"):
        with pytest.raises(Refusal, match="identity_reason_needed"):
            by_number(house, clinic, reason=reason)
    with pytest.raises(Refusal, match="identity_second_needed"):
        by_number(house, clinic, second=None)
    assert tries(house) == [] and rows(house, staff.witness_token) == []


@pytest.mark.parametrize(
    ("subject", "act"),
    [("dose", None), ("HUA1-1|{patient}", "void"), ("HUA1-2|{patient}", IDENTITY), ("HUA1-1|somebody", IDENTITY)],
)
def test_a_token_of_another_act_or_person_or_counter_opens_nothing(house, clinic, subject, act):
    token = make_witness(house, clinic.second, subject.format(patient=clinic.patient), act)
    proof = at_counter.Proof(token=token)
    with pytest.raises(Refusal, match="witness_invalid"):
        at_counter.present(
            house, clinic.nurse, clinic.counter, clinic.patient, "number_face", REASON, proof, unknown="number_unknown"
        )
    assert counter(house).patient is None


def test_the_token_is_spent_with_the_try(house, clinic):
    by_number(house, clinic)
    assert all(t.used_at is not None and t.act == IDENTITY for t in rows(house, staff.witness_token))


def test_a_wrong_number_is_said_before_a_colleague_is_asked(house, clinic):
    said = at_counter.by_number(house, clinic.nurse, clinic.counter, "H-9999", REASON, SECOND)
    assert said.code == "number_unknown"
    assert rows(house, staff.witness_token) == []


def test_a_strangers_number_with_two_people_is_one_bit(house, clinic, stranger):
    shown = by_number(house, clinic, stranger)
    assert (shown.result, shown.patient, shown.dosed_today) == ("nobody", None, False)


# --- a photo document ----------------------------------------------------------------------------------


def test_the_program_compares_the_birth_date(house, clinic):
    assert by_document(house, clinic, born="1979-05-04").code == "birth_date_differs"
    assert counter(house).patient is None
    nobody_is_named(house)
    for written in ("68/5/3", "0680503", "1979-05-03"):
        assert by_document(house, clinic, born=written).result == "shown"


@pytest.mark.parametrize(
    ("kind", "born", "field"), [("library_card", BORN, "document"), ("passport", "yesterday", "birth_date")]
)
def test_only_papers_of_the_list_and_dates_that_are_dates(house, clinic, kind, born, field):
    with pytest.raises(Refusal) as refused:
        by_document(house, clinic, kind=kind, born=born)
    assert set(refused.value.fields) == {field}


def test_a_document_is_enough_alone_only_where_one_nurse_works_alone(house, clinic, admin):
    with pytest.raises(Refusal, match="identity_reason_needed"):
        by_document(house, clinic, reason=None)
    identity_choice.choose(house, admin, "HUA1", identity_choice.WAYS, alone=True)
    assert by_document(house, clinic, reason=None).result == "shown"
    # One nurse alone is still not two people.
    with pytest.raises(Refusal, match="identity_second_needed"):
        by_number(house, clinic, second=None)
    identity_choice.choose(house, admin, "HUA1", identity_choice.WAYS, alone=False)
    with pytest.raises(Refusal, match="identity_reason_needed"):
        by_document(house, clinic, reason=None)


def test_a_strangers_document_is_one_bit(house, clinic, stranger):
    shown = by_document(house, clinic, stranger)
    assert (shown.result, shown.patient, shown.dosed_today) == ("nobody", None, False)
    assert by_document(house, clinic, stranger, born="1979-05-04").dosed_today is None


def test_unknown_cards_and_counters(house, clinic):
    assert scan(house, clinic, "OST-nonsense").code == "card_unknown"
    with pytest.raises(Refusal, match="counter_unknown"):
        scan(house, clinic, "OST-nonsense", "HUA1-99")
    nobody_is_named(house)


def test_while_a_dose_is_open_a_card_confirms_and_asks_no_pin(house, clinic):
    code = card_of(house, clinic.patient)
    scan(house, clinic, code)
    typed(house, clinic)
    promised = give(house, clinic, counter=clinic.counter)
    assert scan(house, clinic, code).result == "confirmed"
    assert counter(house).dose == promised.dose_id
    assert [t.purpose for t in rows(house, identity_try)] == ["arrival", "hand_over"]


def test_a_dose_prepared_between_card_and_pin_is_not_disturbed(house, clinic):
    other = make_patient(house)
    make_prescription(house, other)
    scan(house, clinic, card_of(house, other))
    promised = give(house, clinic, counter=clinic.counter)
    with pytest.raises(Refusal, match="card_again"):
        typed(house, clinic)
    assert (counter(house).patient, counter(house).dose) == (clinic.patient, promised.dose_id)
