"""Sign-in: one code once, wrong tries slow down and lock, and nothing tells who exists."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models import audit, staff, station
from ost.services import credentials, sessions
from ost.services import sign_in as service
from ost.services.sign_in import NotSignedIn, Place, SignedIn, sign_in
from ost.services.unlock import unlock, unlock_at_station
from ost.services.witness import NoToken
from tests import make
from tests.plugins.clients import make_person

HERE = Place("device-1")


@pytest.fixture
def lin(house, clock):
    make.make_site(house)
    return make_person(house, "nurse")


def enter(house, person, *, code=None, password=None, place=HERE, kind=sessions.PAGE):
    return sign_in(house, person.username, password or person.password, code or person.code(), place, kind)


def wrong(house, name="lin", place=HERE):
    return sign_in(house, name, "not the password", "000000", place, sessions.PAGE)


def events(house):
    with house.read() as tx:
        return list(
            tx.execute(sa.select(staff.sign_in_event.c.what).order_by(staff.sign_in_event.c.at)).scalars()
        )


def test_password_and_code_make_a_session_whose_token_is_not_in_the_database(house, lin):
    done = enter(house, lin)
    assert isinstance(done, SignedIn)
    found = sessions.find(house, done.token, sessions.PAGE)
    assert (found.account, found.display_name, found.locked) == (lin.id, "測試人員", False)
    assert [g.role for g in found.grants] == ["nurse"]
    with house.read() as tx:
        stored = tx.execute(sa.select(staff.web_session.c.id)).scalars().all()
        kept = tx.execute(sa.select(audit.audit_event)).all()
    assert done.token not in stored
    assert stored == [sessions.token_id(done.token)]
    assert done.token not in repr(kept)
    assert events(house) == ["signed_in"]


def test_a_page_token_is_no_api_token(house, lin):
    done = enter(house, lin)
    assert sessions.find(house, done.token, sessions.API) is None


def test_the_same_code_never_works_twice(house, lin, clock):
    code = lin.code()
    assert isinstance(enter(house, lin, code=code), SignedIn)
    assert enter(house, lin, code=code) == NotSignedIn("sign_in_wrong")
    clock.shift(31)
    assert enter(house, lin, code=code) == NotSignedIn(
        "sign_in_wrong"
    )  # still in the window, used all the same
    assert isinstance(enter(house, lin), SignedIn)


def test_an_older_code_does_not_work_after_a_newer_one(house, lin, clock):
    older = lin.code()
    clock.shift(30)
    assert isinstance(enter(house, lin), SignedIn)
    assert enter(house, lin, code=older) == NotSignedIn("sign_in_wrong")


def test_codes_of_the_neighbouring_steps_work_and_of_others_not(house, lin, clock):
    before = lin.code()
    clock.shift(60)
    assert enter(house, lin, code=before) == NotSignedIn("sign_in_wrong")
    before = lin.code()
    clock.shift(30)
    assert isinstance(enter(house, lin, code=before), SignedIn)


def test_two_at_once_with_one_code_are_one_sign_in(house, lin):
    code, answers = lin.code(), []
    barrier = threading.Barrier(2)

    def one(device):
        barrier.wait()
        answers.append(enter(house, lin, code=code, place=Place(device)))

    threads = [threading.Thread(target=one, args=(f"d{n}",)) for n in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(type(a).__name__ for a in answers) == ["NotSignedIn", "SignedIn"]
    with house.read() as tx:
        assert len(tx.execute(sa.select(staff.web_session)).all()) == 1


def test_right_password_with_a_wrong_code_and_the_other_way_round_say_the_same(house, lin):
    assert (
        enter(house, lin, code="000000")
        == enter(house, lin, password="no no no no no")
        == wrong(house, "nobody")
    )
    assert events(house) == ["wrong"] * 3


def test_wrong_tries_slow_down_and_then_lock(house, lin, clock):
    policy = policies.policy("tw")
    free, limit = policy.int("sign_in_free_tries"), policy.int("sign_in_lock_after")
    for _ in range(free):
        assert wrong(house).code == "sign_in_wrong"
    waiting = wrong(house)
    assert waiting.code == "sign_in_wait"
    assert waiting.seconds == policy.int("sign_in_delay_s")
    waits = [waiting.seconds]
    for _ in range(free, limit):
        clock.shift(waits[-1])
        assert wrong(house).code == "sign_in_wrong"
        waits.append(wrong(house).seconds)
    assert waits[:3] == [2, 4, 8]
    assert waits[-1] == policy.int("sign_in_lock_minutes") * 60
    assert events(house).count("locked") == 1
    # Locked: the right password and code do not help, and are not even looked at.
    assert enter(house, lin).code == "sign_in_wait"
    clock.shift(timedelta(minutes=policy.int("sign_in_lock_minutes")))
    assert isinstance(enter(house, lin), SignedIn)


def test_the_account_is_locked_from_every_device(house, lin):
    lock_account(house)
    assert enter(house, lin, place=Place("another")).code == "sign_in_wait"


def test_one_device_that_tries_many_names_is_locked(house, lin, clock):
    limit = policies.policy("tw").int("sign_in_lock_after")
    for n in range(limit):
        answer = wrong(house, f"name{n}")
        assert answer.code == "sign_in_wrong", n
        clock.shift(60)
    assert enter(house, lin).code == "sign_in_wait"
    assert isinstance(enter(house, lin, place=Place("another")), SignedIn)


def test_a_ward_behind_one_address_signs_in_at_once(house, lin):
    ward = [lin, *(make_person(house, "nurse", username=f"nurse{n}") for n in range(7))]
    answers = []
    barrier = threading.Barrier(len(ward))

    def one(person):
        barrier.wait()
        answers.append(enter(house, person))

    threads = [threading.Thread(target=one, args=(person,)) for person in ward]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert [type(a).__name__ for a in answers] == ["SignedIn"] * len(ward)


def test_guesses_at_once_are_all_counted(house, lin):
    policy, answers = policies.policy("tw"), []
    threads = [threading.Thread(target=lambda: answers.append(wrong(house).code)) for _ in range(12)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert answers.count("sign_in_wrong") == policy.int("sign_in_free_tries")
    assert answers.count("sign_in_wait") == 12 - policy.int("sign_in_free_tries")


def test_a_name_that_does_not_exist_is_counted_and_locked_like_one_that_does(house, lin, clock):
    def story(name, device):
        said = []
        for _ in range(30):
            answer = sign_in(house, name, "x", "1", Place(device), sessions.PAGE)
            said.append((answer.code, answer.seconds))
            clock.shift(5)
        return said

    assert story("lin", "a") == story("nobody-at-all", "b")


def test_unknown_users_cost_the_same_work(house, lin, monkeypatch):
    done = []
    for name in ("matches", "totp_step"):
        true = getattr(credentials, name)
        monkeypatch.setattr(credentials, name, lambda *a, _t=true, _n=name: (done.append(_n), _t(*a))[1])
    wrong(house, "lin")
    known, done[:] = list(done), []
    wrong(house, "nobody-at-all")
    assert known == done == ["matches", "totp_step"]
    # And the hash for nobody is as slow as the real ones.
    assert credentials._NOBODY.split("$")[3] == credentials.hash_secret("x").split("$")[3]


def test_a_success_takes_the_count_away(house, lin, clock):
    for _ in range(2):
        wrong(house)
    assert isinstance(enter(house, lin), SignedIn)
    with house.read() as tx:
        assert tx.execute(sa.select(staff.sign_in_failure)).all() == []


def test_old_wrong_tries_are_forgotten(house, lin, clock):
    policy = policies.policy("tw")
    for _ in range(policy.int("sign_in_free_tries")):
        wrong(house)
    clock.shift(timedelta(minutes=policy.int("sign_in_forget_minutes"), seconds=1))
    assert wrong(house).code == "sign_in_wrong"
    assert wrong(house).code == "sign_in_wrong"


def test_a_clock_set_back_gives_no_free_tries_while_waiting(house, lin, clock):
    lock_account(house)
    clock.shift(timedelta(minutes=-30))
    assert enter(house, lin).code == "sign_in_wait"


def lock_account(house, place=HERE):
    with house.db.begin() as tx:
        tx.execute(sa.delete(staff.sign_in_failure))
        for subject in service.subjects_of(
            house, "lin", place, service.enrolled_station(house, place.station)
        )[:1]:
            tx.execute(
                sa.insert(staff.sign_in_failure),
                {
                    "subject_kind": subject.kind,
                    "subject": subject.name,
                    "count": 10,
                    "last_at": house.now(),
                    "locked_until": house.now() + timedelta(minutes=15),
                },
            )


def make_station(house, **values):
    row = {
        "id": "st-1",
        "site": "HUA1",
        "label": "櫃台1",
        "public_key": "0" * 64,
        "enrolled_at": house.now(),
        **values,
    }
    with house.db.begin() as tx:
        tx.execute(sa.insert(station.station), row)
    return row["id"]


def test_at_an_enrolled_station_the_lock_is_brief_and_its_own(house, lin, clock):
    policy = policies.policy("tw")
    at_station = Place("device-1", make_station(house))
    lock_account(house)  # somebody locked the account from elsewhere
    for _ in range(policy.int("sign_in_lock_after")):
        assert wrong(house, place=at_station).code == "sign_in_wrong"
        clock.shift(60)
    clock.shift(-60)
    waiting = enter(house, lin, place=at_station)
    assert waiting.code == "sign_in_wait"
    assert waiting.seconds <= policy.int("sign_in_lock_minutes_station") * 60
    clock.shift(timedelta(minutes=policy.int("sign_in_lock_minutes_station")))
    done = enter(house, lin, place=at_station)
    assert isinstance(done, SignedIn)
    assert sessions.find(house, done.token, sessions.PAGE).station == "st-1"


@pytest.mark.parametrize("state", ["never enrolled", "revoked", "missing"])
def test_a_station_that_is_not_enrolled_gives_no_advantage(house, lin, clock, state):
    if state != "missing":
        make_station(
            house, **{"never enrolled": {"enrolled_at": None}, "revoked": {"revoked_at": house.now()}}[state]
        )
    lock_account(house)
    assert enter(house, lin, place=Place("device-1", "st-1")).code == "sign_in_wait"


def test_a_colleague_unlocks_at_once(house, lin):
    colleague = make.make_account(house, "nurse")
    at_station = Place("device-1", make_station(house))
    lock_account(house, at_station)
    assert enter(house, lin, place=at_station).code == "sign_in_wait"
    unlock(house, colleague, "Lin ", "HUA1")
    assert isinstance(enter(house, lin, place=at_station), SignedIn)
    with house.read() as tx:
        row = tx.execute(
            sa.select(audit.audit_event).where(audit.audit_event.c.kind == "sign_in.unlocked")
        ).one()
    assert (row.site, row.actor) == ("HUA1", colleague.id)
    assert events(house) == ["unlocked", "signed_in"]


def test_a_colleague_unlocks_on_the_locked_counter_itself(house, lin):
    make_person(house, "nurse", username="wu")
    at_station = Place("device-1", make_station(house))
    lock_account(house, at_station)
    assert unlock_at_station(house, "st-1", "d", "lin", "wu", "000111") == NoToken("witness_wrong")
    assert enter(house, lin, place=at_station).code == "sign_in_wait"
    assert unlock_at_station(house, "st-1", "d", "lin", "wu", lin.pin) is None
    assert isinstance(enter(house, lin, place=at_station), SignedIn)
    with house.read() as tx:
        kinds = (
            tx.execute(sa.select(audit.audit_event.c.kind).where(audit.audit_event.c.site == "HUA1"))
            .scalars()
            .all()
        )
    assert kinds.count("sign_in.unlocked") == 1


@pytest.mark.parametrize("station_id", [None, "st-2", ""])
def test_only_an_enrolled_counter_takes_a_colleagues_pin(house, lin, station_id):
    make_person(house, "nurse", username="wu")
    make_station(house)
    with pytest.raises(Refusal) as refused:
        unlock_at_station(house, station_id, "d", "lin", "wu", lin.pin)
    assert refused.value.code == "not_permitted"


def test_nobody_unlocks_themselves_with_their_pin(house, lin):
    make_station(house)
    with pytest.raises(Refusal) as refused:
        unlock_at_station(house, "st-1", "d", "lin", "lin", lin.pin)
    assert refused.value.code == "account_unknown"


def test_who_may_not_unlock(house, lin):
    make.make_site(house, "TPE1", "TPE")
    pharmacist = make.make_account(house, "pharmacist")
    elsewhere = make.make_account(house, "nurse", scope="TPE1")
    lock_account(house)
    for actor, site, code in (
        (pharmacist, "HUA1", "not_permitted"),
        (elsewhere, "HUA1", "not_permitted"),
        (elsewhere, "TPE1", "account_unknown"),  # Lin does not work there
        (lin.actor, "HUA1", "account_unknown"),  # nobody unlocks themselves
    ):
        with pytest.raises(Refusal) as refused:
            unlock(house, actor, "lin", site)
        assert refused.value.code == code
    with pytest.raises(Refusal) as refused:
        unlock(house, make.make_account(house, "nurse"), "nobody-at-all", "HUA1")
    assert refused.value.code == "account_unknown"
    assert enter(house, lin).code == "sign_in_wait"


def test_a_closed_account_is_a_stranger(house, lin):
    with house.db.begin() as tx:
        tx.execute(sa.update(staff.account).values(active=False))
    assert enter(house, lin) == NotSignedIn("sign_in_wrong")


def test_made_up_names_do_not_fill_the_table(house, lin, clock):
    for n in range(5):
        sign_in(house, f"made-up-{n}", "x", "1", Place(f"d{n}"), sessions.PAGE)
    clock.shift(timedelta(hours=3))
    wrong(house)
    with house.read() as tx:
        assert len(tx.execute(sa.select(staff.sign_in_failure)).all()) == 2


def test_no_name_and_no_address_stands_in_what_is_counted_or_recorded(house, lin):
    wrong(house)
    with house.read() as tx:
        kept = repr(
            [
                tx.execute(sa.select(t)).all()
                for t in (staff.sign_in_failure, staff.sign_in_event, audit.audit_event)
            ]
        )
    assert "'lin'" not in kept
