"""The patients' door: number and PIN, codes, how tries are counted; on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models import message, staff
from ost.models.patient import patient
from ost.models.portal import portal_code, portal_event, portal_factor, portal_session
from ost.services import card_pin, patients, sealed
from ost.services.messages import contacts
from ost.services.portal import factors, help, pin, sessions, sign_in, tries
from ost.services.portal.sign_in import Begun, NotSignedIn, Place, SignedIn
from ost.services.portal.tidy import tidy
from tests import make
from tests.portal import CHEAP, HERE, THERE, begin, session_of, set_patient, switch_on


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch):
    """What a hash costs is argon2's; here it is counted how often one is computed."""
    monkeypatch.setattr(patients, "_HASHER", CHEAP)
    monkeypatch.setattr(patients, "NO_PIN", CHEAP.hash("nobody's"))


@pytest.fixture
def clinic(house):
    return make.make_clinic(house)


@pytest.fixture
def number(house, clinic):
    with house.read() as tx:
        return tx.execute(sa.select(patient.c.number).where(patient.c.id == clinic.patient)).scalar_one()


def sent_code(house, person: str) -> str:
    """The newest code in the outbox, as the telephone would show it."""
    m = message.message
    query = sa.select(m.c.id, m.c.secret_sealed).where(m.c.patient == person, m.c.kind == "portal_code")
    with house.read() as tx:
        row = tx.execute(query.order_by(m.c.created_at.desc()).limit(1)).one()
        key = sealed.person_key(tx, house.keys, person)
        return sealed.unseal_text(key, person, "message", f"secret:{row.id}", row.secret_sealed)


def what_happened(house, person: str | None = None) -> list[str]:
    e = portal_event
    query = sa.select(e.c.what).order_by(e.c.at)
    if person:
        query = query.where(e.c.patient == person)
    with house.read() as tx:
        return list(tx.execute(query).scalars())


# --- number and PIN ------------------------------------------------------------------


def test_number_and_pin_open_a_whole_session(house, clinic, number):
    done = begin(house, number)
    assert isinstance(done, SignedIn)
    found = session_of(house, done)
    assert found.whole and found.patient == clinic.patient and found.actor().grants == ()
    with house.read() as tx:
        stored = tx.execute(sa.select(portal_session)).one()
    assert done.token not in str(stored) and stored.id == sessions.token_id(done.token)


@pytest.mark.parametrize("typed", ["h-0047", " H0047 ", "Ｈ－０047", "H–0047", "h 47", "H-0047"])
def test_a_number_is_understood_however_it_is_typed(typed):
    assert sign_in.normal(typed) == "H-0047"
    assert sign_in.normal(" OST-aB_c-D ") == "OST-aB_c-D", "a card's code as it is"


def test_the_cards_code_is_as_good_as_the_number_and_counted_with_it(house, clinic, number):
    card = patients.new_card()
    with house.db.begin() as tx:
        tx.execute(sa.update(patient).values(card_mac=house.keys.search_mac("card", card)))
    assert isinstance(begin(house, card), SignedIn)
    limit = policies.policy("tw").int("sign_in_free_tries")
    for _ in range(limit):
        begin(house, card, "0000")
    assert begin(house, number).code == sign_in.WAIT


@pytest.mark.parametrize("who", ["known", "nobody", "inactive", "without_pin", "forgotten", "empty", "odd"])
def test_whoever_it_is_one_check_is_computed_and_one_answer_given(house, clinic, number, who, monkeypatch):
    """Counted, not timed: the number of hashes and of rows written is the same for everybody."""
    if who == "inactive":
        set_patient(house, clinic, active=False)
    if who in ("without_pin", "forgotten"):
        set_patient(house, clinic, pin_hash=None, active=who != "forgotten")
    name = {"nobody": "Z-9999", "empty": "", "odd": "\u202e' OR 1=1 --"}.get(who, number)
    checks = []
    verify = patients._HASHER.verify
    monkeypatch.setattr(patients, "_HASHER", _Counting(verify, checks))
    answers = [begin(house, name, "135790", Place(f"d{n}")) for n in range(3)]
    assert answers[0] == NotSignedIn(sign_in.WRONG)
    assert len(checks) == sum(a.code == sign_in.WRONG for a in answers)
    assert what_happened(house) == ["wrong"] * len(checks)
    f = staff.sign_in_failure
    with house.read() as tx:
        kinds = sorted(map(tuple, tx.execute(sa.select(f.c.subject_kind, f.c.count))))
    assert kinds == [("portal", 3), ("portal_all", 3), ("portal_day", 3)] + [("portal_device", 1)] * 3


class _Counting:
    def __init__(self, verify, checks):
        self._verify, self._checks = verify, checks

    def verify(self, stored, typed):
        self._checks.append(stored)
        return self._verify(stored, typed)


def test_the_lock_out_of_a_number_nobody_has_is_the_same(house, clinic, number, clock):
    said = {}
    for name in (number, "Z-0001"):
        said[name] = []
        for n in range(12):
            answer = begin(house, name, "135790", Place(f"{name}{n}"))
            said[name].append((answer.code, answer.seconds))
            clock.shift(timedelta(seconds=7))
    assert said[number] == said["Z-0001"]
    assert any(seconds for _, seconds in said[number])


def test_tries_at_once_are_counted_one_by_one(house, clinic, number, monkeypatch, clock):
    """However many guesses arrive together, only the free ones are looked at."""
    looked = []
    real = patients.pin_matches
    monkeypatch.setattr(patients, "pin_matches", lambda stored, typed: looked.append(1) or real(stored, typed))
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: begin(house, number, "135790", Place(f"d{n}")), range(12)))
    free = policies.policy("tw").int("sign_in_free_tries")
    assert len(looked) == free == sum(a.code == sign_in.WRONG for a in answers)
    assert begin(house, number).code == sign_in.WAIT


def test_a_day_of_guessing_from_many_addresses_ends_at_the_limit(house, clinic, number, clock):
    limit = policies.policy("tw").int("portal_number_day_tries")
    looked = 0
    for n in range(limit * 2):
        answer = begin(house, number, f"{135790 + n}", Place(f"d{n}"))
        looked += answer.code == sign_in.WRONG
        clock.shift(timedelta(minutes=20))
    assert looked == limit
    assert begin(house, number).code == sign_in.WAIT
    clock.shift(timedelta(days=1))
    assert isinstance(begin(house, number), SignedIn)


def test_one_pin_tried_with_many_numbers_ends_too(house, clinic, number, clock):
    limit = policies.policy("tw").int("portal_all_hour_tries")
    answers = [begin(house, f"Z-{n:04}", "135790", Place(f"d{n}")).code for n in range(limit + 3)]
    assert answers == [sign_in.WRONG] * limit + [sign_in.WAIT] * 3
    assert begin(house, number).code == sign_in.WAIT, "a browser nobody knows waits with them"


def test_a_stranger_who_locks_a_number_does_not_lock_out_its_owners_telephone(house, clinic, number):
    mine = begin(house, number)
    own = Place("device-a", "Chrome, Android", mine.mark)
    for n in range(15):
        begin(house, number, "135790", Place(f"d{n}"))
    assert begin(house, number).code == sign_in.WAIT
    assert isinstance(begin(house, number, place=own), SignedIn)
    # and the mark opens nothing by itself, nor for another number, nor altered
    assert begin(house, number, "135790", own).code == sign_in.WRONG
    altered = Place("x", None, mine.mark[:-1] + ("0" if mine.mark[-1] != "0" else "1"))
    assert not tries.bucket(house, number, altered.device, altered.mark).known
    assert not tries.bucket(house, "Z-0001", "x", mine.mark).known


def test_the_web_does_not_lock_the_counters_pin_nor_the_counter_the_web(house, clinic, number):
    for n in range(15):
        begin(house, number, "135790", Place(f"d{n}"))
    f = staff.sign_in_failure
    with house.read() as tx:
        kinds = set(tx.execute(sa.select(f.c.subject_kind)).scalars())
    assert kinds <= {"portal", "portal_all", "portal_day", "portal_device"}
    subject = card_pin.Subject("pin", house.keys.search_mac("patient pin", clinic.patient))
    with house.db.begin() as tx:
        for _ in range(15):
            card_pin.count_try(tx, [subject], house.now(), policies.policy("tw"), timedelta(minutes=15))
        forgive = sa.delete(f).where(f.c.subject_kind.like("portal%"))
        tx.execute(forgive)
    assert isinstance(begin(house, number), SignedIn)


def test_a_pin_changed_while_it_was_looked_at_opens_nothing(house, clinic, number, monkeypatch):
    real = patients.pin_matches

    def slow(stored, typed):
        answer = real(stored, typed)
        set_patient(house, clinic, pin_hash=patients.hash_pin("864209"))
        return answer

    monkeypatch.setattr(patients, "pin_matches", slow)
    assert begin(house, number).code == sign_in.WRONG


# --- sessions ------------------------------------------------------------------------


def test_a_session_ends_when_idle_and_at_the_latest_after_its_hours(house, clinic, number, clock):
    done = begin(house, number)
    idle = policies.policy("tw").int("portal_idle_minutes")
    clock.shift(timedelta(minutes=idle - 1))
    sessions.touch(house, session_of(house, done))
    clock.shift(timedelta(minutes=idle - 1))
    assert session_of(house, done)
    clock.shift(timedelta(minutes=1))
    assert session_of(house, done) is None
    done = begin(house, number)
    for _ in range(policies.policy("tw").int("portal_session_hours") * 6):
        found = session_of(house, done)
        assert found
        sessions.touch(house, found)
        clock.shift(timedelta(minutes=10))
    assert session_of(house, done) is None


def test_the_person_sees_their_sessions_and_ends_them(house, clinic, number):
    first, second = begin(house, number), begin(house, number, place=THERE)
    mine = session_of(house, first)
    seen = sessions.of_patient(house, mine)
    assert [s.this for s in seen] == [True, False] and seen[1].label == "Firefox, Windows"
    assert not {first.token, second.token, mine.id} & {s.ref for s in seen}
    assert not sessions.end_one(house, mine, "0" * 24)
    assert sessions.end_one(house, mine, seen[1].ref)
    assert session_of(house, second) is None and session_of(house, first)
    third = begin(house, number)
    assert sessions.end_others(house, mine) == 1
    assert session_of(house, third) is None and session_of(house, first)


@pytest.mark.parametrize("how", ["changed", "given", "at_the_desk", "forgotten", "inactive"])
def test_every_session_ends_with_the_pin_and_with_the_person(house, clinic, number, how):
    first, second = begin(house, number), begin(house, number, place=THERE)
    if how == "changed":
        token = pin.change(house, session_of(house, first), make.PATIENT_PIN, "864209", "864209")
        assert sessions.find(house, token).whole and token != first.token
    elif how == "given":
        help.give_pin(house, make.make_account(house, "nurse"), clinic.patient, "864209", "864209", "finger")
    elif how == "at_the_desk":
        patients.set_pin(house, make.make_account(house, "case_manager"), clinic.patient, "8642")
    elif how == "forgotten":
        _forget(house, clinic)
    else:
        set_patient(house, clinic, active=False)
    assert session_of(house, first) is None and session_of(house, second) is None
    assert begin(house, number).code == sign_in.WRONG, "the old PIN opens nothing"


def _forget(house, clinic):
    stranger = make.make_patient(house, clinic.site)  # the clinic's own has doses the law keeps
    with house.read() as tx:
        number = tx.execute(sa.select(patient.c.number).where(patient.c.id == stranger)).scalar_one()
    done = begin(house, number)
    patients.forget(house, make.make_account(house, "admin"), stranger, "asked for it")
    assert session_of(house, done) is None
    set_patient(house, clinic, active=False)


def test_somebody_new_in_the_same_browser_ends_the_session_before(house, clinic, number):
    first = begin(house, number)
    again = sign_in.begin(house, number, make.PATIENT_PIN, HERE, old=session_of(house, first).id)
    assert session_of(house, first) is None and session_of(house, again)


def test_what_is_over_goes_and_what_is_open_stays(house, clinic, number, clock):
    begin(house, number)
    clock.shift(timedelta(days=3))
    ended, here = begin(house, number), begin(house, number, place=THERE)
    sessions.end(house, session_of(house, ended))
    assert tidy(house) == 2 and tidy(house) == 0
    assert session_of(house, here)
    assert what_happened(house, clinic.patient).count("signed_in") == 3, "the record of the door stays"


# --- codes ---------------------------------------------------------------------------


def test_an_authenticator_is_asked_for_and_each_code_works_once(house, clinic, number, clock):
    _, secret = switch_on(house, number, "totp")
    clock.shift(timedelta(minutes=2))
    done = begin(house, number)
    assert isinstance(done, Begun) and done.factor == "totp"
    half = session_of(house, done)
    assert not half.whole
    code = pyotp.TOTP(secret).at(house.now())
    whole = sign_in.give_code(house, half, code, HERE)
    assert isinstance(whole, SignedIn) and whole.token != done.token, "a token of its own after each step"
    assert sessions.find(house, done.token) is None
    again = session_of(house, begin(house, number))
    assert sign_in.give_code(house, again, code, HERE).code == sign_in.CODE_WRONG, "used"
    with house.read() as tx:
        row = tx.execute(sa.select(portal_factor)).one()
    assert secret.encode() not in bytes(row.totp_sealed)


def test_a_code_by_message_is_sealed_and_only_its_mac_is_kept(house, clinic, number):
    switch_on(house, number, "sms")
    done = begin(house, number)
    assert done.factor == "sms" and done.wait_s == 0
    code = sent_code(house, clinic.patient)
    assert len(code) == 6 and code.isdigit()
    with house.read() as tx:
        stored = tx.execute(sa.select(portal_code)).one()
        everything = [str(dict(r._mapping)) for t in (portal_code, portal_event) for r in tx.execute(sa.select(t))]
    assert code not in stored.code_mac and not any(f"'{code}'" in text for text in everything)
    assert isinstance(sign_in.give_code(house, session_of(house, done), f" {code[:3]} {code[3:]} ", HERE), SignedIn)
    again = session_of(house, begin(house, number))
    assert sign_in.give_code(house, again, code, HERE).code == sign_in.CODE_WRONG, "used"


def test_a_code_ends_by_time_and_by_a_newer_one_and_new_ones_are_few(house, clinic, number, clock):
    switch_on(house, number, "sms")
    policy = policies.policy("tw")
    half = session_of(house, begin(house, number))
    old = sent_code(house, clinic.patient)
    assert sign_in.send_code(house, half, HERE) > 0, "too early for another"
    clock.shift(timedelta(seconds=policy.int("portal_code_wait_s")))
    assert sign_in.send_code(house, half, HERE) == 0
    new = sent_code(house, clinic.patient)
    assert old == new or sign_in.give_code(house, half, old, HERE).code == sign_in.CODE_WRONG
    clock.shift(timedelta(minutes=policy.int("portal_code_minutes")))
    assert sign_in.give_code(house, half, new, HERE).code == sign_in.CODE_WRONG, "too old"
    sent = 2
    for _ in range(policy.int("portal_codes_a_day") + 3):
        clock.shift(timedelta(minutes=61))
        done = begin(house, number)
        sent += done.wait_s == 0
    assert sent == policy.int("portal_codes_a_day")


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def test_five_wrong_codes_end_the_step_and_a_day_of_them_ends_it_longer(house, clinic, number, clock):
    switch_on(house, number, "sms")
    policy = policies.policy("tw")
    looked = 0
    for _ in range(6):
        clock.shift(timedelta(minutes=10))
        done = begin(house, number)
        if isinstance(done, NotSignedIn):
            break
        half = session_of(house, done)
        for _ in range(policy.int("portal_code_tries") + 2):
            answer = sign_in.give_code(house, half, _wrong(sent_code(house, clinic.patient)), HERE)
            looked += answer.code == sign_in.CODE_WRONG or (answer.over and not answer.seconds)
            if answer.over:
                assert session_of(house, done) is None
                break
    assert answer.seconds > 0 and answer.code == sign_in.WAIT
    assert looked == policy.int("portal_code_day_tries")
    clock.shift(timedelta(days=1))
    half = session_of(house, begin(house, number))
    assert isinstance(sign_in.give_code(house, half, sent_code(house, clinic.patient), HERE), SignedIn)


def test_codes_tried_at_once_are_counted_and_one_right_one_opens_once(house, clinic, number):
    switch_on(house, number, "sms")
    done = begin(house, number)
    half, code = session_of(house, done), sent_code(house, clinic.patient)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: sign_in.give_code(house, half, code, HERE), range(5)))
    assert sum(isinstance(a, SignedIn) for a in answers) == 1
    done = begin(house, number)  # too early for a new message: nothing to type that could be right
    half = session_of(house, done)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: sign_in.give_code(house, half, _wrong(code), HERE), range(9)))
    assert sum(a.code == sign_in.CODE_WRONG for a in answers) == 4 and session_of(house, done) is None


def test_a_telephone_that_ended_is_not_asked_for_and_gets_nothing(house, clinic, number):
    here, _ = switch_on(house, number, "sms")
    contacts.end(house, here.actor(), here.patient, factors.asked(house, here.patient).contact.id)
    assert isinstance(begin(house, number), SignedIn)


def test_codes_are_switched_with_the_pin_only(house, clinic, number):
    here = session_of(house, begin(house, number))
    for change in (
        lambda: factors.begin_totp(house, here, "135790"),
        lambda: factors.end_totp(house, here, "135790"),
        lambda: factors.set_sms(house, here, True, "135790"),
    ):
        with pytest.raises(Refusal, match=r"portal_pin_wrong|portal_wait"):
            change()
    with pytest.raises(Refusal, match="portal_wait"):
        pin.require(house, here, make.PATIENT_PIN)


def test_a_code_by_message_needs_a_telephone_that_is_theirs(house, clinic, number):
    here = session_of(house, begin(house, number))
    contacts.set(house, here.actor(), here.patient, contacts.SMS, "0912 345 678")
    with pytest.raises(Refusal, match="portal_no_telephone"):
        factors.set_sms(house, here, True, make.PATIENT_PIN)


def test_a_new_browser_is_told_the_first_one_is_not(house, clinic, number):
    m = message.message
    query = sa.select(sa.func.count()).where(m.c.kind == "portal_new_sign_in")
    first = begin(house, number)
    with house.read() as tx:
        assert tx.execute(query).scalar() == 0
    begin(house, number, place=Place("device-a", None, first.mark))
    with house.read() as tx:
        assert tx.execute(query).scalar() == 0, "the browser is known"
    begin(house, number, place=THERE)
    with house.read() as tx:
        assert tx.execute(query).scalar() == 1
