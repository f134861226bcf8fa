"""Passes: what opens one and what does not: stolen, altered in any bit, expired, revoked, elsewhere, guessed."""

from __future__ import annotations

import base64
import itertools
import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import keys, policies
from ost.errors import Refusal
from ost.models import guest, staff
from ost.models.patient import person_key
from ost.services.guest import cancel, drop, passes
from ost.services.work import SYSTEM, Actor, new_id
from tests.make import make_account, make_guest_site, make_patient, make_prescription, make_site
from tests.permits import days_from, make_permit


@pytest.fixture
def home(house, clock):
    """A patient of HUA1; TPE1 and TPE2 take guests."""
    make_site(house, "HUA1")
    for code in ("TPE1", "TPE2"):
        make_site(house, code, county="TPE")
        make_guest_site(house, code, places=40)
    return person(house)


def person(house) -> str:
    made = make_patient(house, "HUA1")
    make_prescription(house, made, sites=("HUA1",))
    return made


@pytest.fixture
def permit(house, home):
    return make_permit(house, home, "TPE1", days_from(house, "HUA1", 0, 1))


def read(house, site: str, text: str):
    with house.read() as tx:
        return passes.read(house, tx, site, text)


def shown(house, permit, patient=None):
    return passes.for_patient(house, patient or patient_of(house, permit), permit.id)


def patient_of(house, permit) -> str:
    with house.read() as tx:
        return tx.execute(sa.select(guest.guest_permit.c.patient).where(guest.guest_permit.c.id == permit.id)).scalar_one()


def row_of(house, permit):
    with house.read() as tx:
        return tx.execute(sa.select(guest.guest_pass).where(guest.guest_pass.c.permit == permit.id)).all()


# --- what it is -------------------------------------------------------------------


def test_code_and_digits_open_the_permit_at_its_site(house, home, permit):
    pass_ = shown(house, permit)
    assert pass_.days == permit.days and pass_.site == "TPE1"
    by_code = read(house, "TPE1", pass_.token)
    assert (by_code.permit, by_code.patient, by_code.by) == (permit.id, home, passes.TOKEN)
    by_digits = read(house, "TPE1", pass_.digits)
    assert (by_digits.permit, by_digits.patient, by_digits.by) == (permit.id, home, passes.SPOKEN)


def test_digits_are_understood_as_people_and_keyboards_write_them(house, permit):
    digits = shown(house, permit).digits
    wide = "".join(chr(ord(d) + 0xFEE0) for d in digits)
    for text in (f" {digits[:3]} {digits[3:]} ", f"{digits[:3]}-{digits[3:]}", wide):
        assert passes.is_pass(text) and read(house, "TPE1", text).permit == permit.id
    token = shown(house, permit).token
    assert passes.is_pass(token.lower()) and read(house, "TPE1", token.lower()).permit == permit.id
    for text in ("", "H-0047", "OST-abc", digits[:5], digits + "1", "12345x", "½23456", "²³¹⁰⁴⁵6"):
        assert not passes.is_pass(text) and read(house, "TPE1", text) is None


def test_the_code_says_nothing_and_the_database_holds_no_digits(house, home, permit):
    pass_, (row,) = shown(house, permit), row_of(house, permit)
    raw = base64.b32decode(pass_.token.removeprefix(passes.MARK) + "====")
    assert len(raw) == 32 and raw[:16] == uuid.UUID(row.id).bytes
    for private in (home, permit.id, permit.request):
        assert uuid.UUID(private).bytes not in raw
    assert b"TPE1" not in raw and b"HUA1" not in raw
    assert pass_.digits not in (row.code_mac, row.id) and pass_.digits.encode() not in row.code_sealed
    assert pass_.digits not in repr(pass_) and pass_.token not in repr(pass_)


# --- what does not open it --------------------------------------------------------


def test_no_bit_of_the_code_may_be_another(house, permit):
    token = shown(house, permit).token
    body = token.removeprefix(passes.MARK)
    raw = bytearray(base64.b32decode(body + "===="))
    tried = set()
    for index in range(len(raw)):
        for bit in range(8):
            raw[index] ^= 1 << bit
            tried.add(passes.MARK + base64.b32encode(raw).decode().rstrip("="))
            raw[index] ^= 1 << bit
    # A second spelling of the same bytes: the bits that fill the last letter.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    tried |= {passes.MARK + body[:-1] + letter for letter in alphabet if letter != body[-1]}
    tried |= {token + "A", token[:-1], token + "=", passes.MARK, passes.MARK + body * 2}
    assert len(tried) > 256 and token not in tried
    with house.read() as tx:
        assert [text for text in sorted(tried) if passes.read(house, tx, "TPE1", text)] == []
        assert passes.read(house, tx, "TPE1", token)


def test_a_code_made_with_other_keys_or_another_purposes_mac_opens_nothing(house, permit):
    (row,) = row_of(house, permit)
    assert read(house, "TPE1", passes.token_of(house.keys, row.id)).permit == permit.id
    assert read(house, "TPE1", passes.token_of(keys.ephemeral(), row.id)) is None
    raw = uuid.UUID(row.id).bytes
    wrong = bytes.fromhex(house.keys.challenge_mac(row.id))[:16]
    assert read(house, "TPE1", passes.MARK + base64.b32encode(raw + wrong).decode().rstrip("=")) is None
    # A right code for a pass that never was.
    assert read(house, "TPE1", passes.token_of(house.keys, new_id())) is None


def test_another_site_opens_nothing_with_it_and_neither_does_home(house, permit):
    pass_ = shown(house, permit)
    for site in ("TPE2", "HUA1", "", "NONE"):
        assert read(house, site, pass_.token) is None and read(house, site, pass_.digits) is None


def test_it_ends_with_its_last_day_at_the_site_not_in_utc(house, permit, clock):
    pass_ = shown(house, permit)
    clock.move_to(house.now().replace(day=11, hour=15, minute=59))  # 23:59 of the last day in Taipei
    assert read(house, "TPE1", pass_.token) and read(house, "TPE1", pass_.digits)
    clock.shift(timedelta(minutes=2))
    assert read(house, "TPE1", pass_.token) is None and read(house, "TPE1", pass_.digits) is None
    assert shown(house, permit) is None


def test_a_last_day_that_was_given_up_is_no_day_of_it(house, home, permit, clock):
    pass_ = shown(house, permit)
    drop.drop_day(house, Actor(f"patient:{home}"), permit.request, permit.days[1])
    assert shown(house, permit).days == permit.days[:1]
    assert read(house, "TPE1", pass_.token)
    clock.shift(timedelta(days=1))
    assert read(house, "TPE1", pass_.token) is None


def test_cancelled_it_opens_nothing_and_replayed_neither(house, home, permit):
    pass_ = shown(house, permit)
    cancel.cancel(house, Actor(f"patient:{home}"), permit.request)
    for _ in range(2):
        assert read(house, "TPE1", pass_.token) is None and read(house, "TPE1", pass_.digits) is None
    assert shown(house, permit, home) is None
    again = make_permit(house, home, "TPE1", days_from(house, "HUA1", 2))
    assert read(house, "TPE1", pass_.token) is None, "the old paper does not open the new stay"
    assert read(house, "TPE1", shown(house, again, home).token).permit == again.id


def test_a_permit_that_ended_opens_nothing_even_where_nobody_revoked_the_pass(house, home, permit):
    pass_ = shown(house, permit)
    with house.db.begin() as tx:
        tx.execute(guest.guest_head.update().where(guest.guest_head.c.request == permit.request).values(state="ended"))
    assert row_of(house, permit)[0].revoked_at is None
    assert read(house, "TPE1", pass_.token) is None and read(house, "TPE1", pass_.digits) is None


def test_a_permit_on_hold_still_names_its_person(house, home, permit):
    with house.db.begin() as tx:
        tx.execute(guest.guest_head.update().where(guest.guest_head.c.request == permit.request).values(state="paused"))
    assert read(house, "TPE1", shown(house, permit).token).patient == home


def test_only_its_own_person_is_shown_it(house, home, permit):
    assert passes.for_patient(house, person(house), permit.id) is None
    assert passes.for_patient(house, home, new_id()) is None
    assert shown(house, permit, home).digits


def test_a_sealed_code_moved_to_another_pass_does_not_open(house, home, permit):
    other = make_permit(house, home, "TPE2", days_from(house, "HUA1", 3))
    (mine,), (theirs,) = row_of(house, permit), row_of(house, other)
    p = guest.guest_pass
    with house.db.begin() as tx:
        tx.execute(p.update().where(p.c.id == mine.id).values(code_sealed=theirs.code_sealed))
    with pytest.raises(keys.SealBroken):
        shown(house, permit, home)


def test_somebody_forgotten_is_shown_none(house, home, permit):
    with house.db.begin() as tx:
        tx.execute(person_key.update().where(person_key.c.person == home).values(wrapped=None))
    assert shown(house, permit, home) is None


# --- one live pass, digits once ----------------------------------------------------


def test_issued_twice_it_is_the_same_one_and_anew_ends_the_old(house, home, permit):
    before = shown(house, permit)
    with house.work(SYSTEM, "TPE1", "test.pass") as work:
        assert passes.issue(house, work, permit.id) == before.id
        assert passes.issue(house, work, permit.id, again=True) != before.id
    after = shown(house, permit)
    assert read(house, "TPE1", before.token) is None and read(house, "TPE1", before.digits) is None
    assert read(house, "TPE1", after.token).permit == permit.id
    with pytest.raises(Refusal, match="guest_permit_unknown"), house.work(SYSTEM, "TPE1", "test.pass") as work:
        passes.issue(house, work, new_id())


def test_digits_are_one_persons_at_a_site_and_free_at_another(house, home, permit, monkeypatch):
    taken = int(shown(house, permit).digits)
    drawn = iter((taken, taken, 42))
    monkeypatch.setattr(passes.secrets, "randbelow", lambda below: next(drawn))
    second = make_permit(house, person(house), "TPE1", permit.days)
    assert shown(house, second).digits == "000042"
    monkeypatch.setattr(passes.secrets, "randbelow", lambda below: taken)
    elsewhere = make_permit(house, person(house), "TPE2", permit.days)
    assert shown(house, elsewhere).digits == f"{taken:06}"
    assert read(house, "TPE1", f"{taken:06}").permit == permit.id
    assert read(house, "TPE2", f"{taken:06}").permit == elsewhere.id


def test_no_digits_come_back_within_a_year_and_then_name_the_new_one_only(house, home, permit, monkeypatch, clock):
    digits = shown(house, permit).digits
    monkeypatch.setattr(passes.secrets, "randbelow", lambda below: int(digits))
    clock.shift(timedelta(days=200))
    with pytest.raises(Refusal, match="guest_pass_digits_used_up"):
        make_permit(house, home, "TPE1", days_from(house, "HUA1", 0))
    clock.shift(timedelta(days=200))
    later = make_permit(house, home, "TPE1", days_from(house, "HUA1", 0))
    assert read(house, "TPE1", digits).permit == later.id


def test_digits_are_drawn_not_counted_up(house, home):
    made = [make_permit(house, home, "TPE1", days_from(house, "HUA1", n)) for n in range(4)]
    drawn = [shown(house, one, home).digits for one in made]
    assert len(set(drawn)) == len(made) and all(len(d) == 6 and d.isdigit() for d in drawn)
    assert len({int(b) - int(a) for a, b in itertools.pairwise(drawn)}) > 1


# --- guessed at a counter -----------------------------------------------------------


@pytest.fixture
def nurse(house, home):
    return make_account(house, "nurse", scope="TPE1")


def wrong_digits(house, permit) -> str:
    return f"{(int(shown(house, permit).digits) + 1) % 10**6:06}"


def test_guessing_slows_down_then_stops_and_looks_at_nothing_meanwhile(house, permit, nurse, clock):
    right, wrong = shown(house, permit).digits, wrong_digits(house, permit)
    limit = policies.policy("tw").int("sign_in_lock_after")
    looked = 0
    for _ in range(limit * 3):
        guessed = passes.guess(house, nurse, "TPE1", wrong)
        assert guessed.found is None
        if guessed.wait_s:
            # Right or wrong, nothing is looked at while it has to wait.
            assert passes.guess(house, nurse, "TPE1", right).found is None
            break
        looked += 1
    assert 0 < looked <= limit


def test_a_lock_is_long_and_other_hands_at_the_site_do_not_go_round_it(house, permit, nurse, clock):
    wrong, limit = wrong_digits(house, permit), policies.policy("tw").int("sign_in_lock_after")
    looked = 0
    for _ in range(3 * limit):
        other = make_account(house, "nurse", scope="TPE1")
        guessed = passes.guess(house, other, "TPE1", wrong)
        looked += not guessed.wait_s
        clock.shift(timedelta(seconds=guessed.wait_s if guessed.wait_s < 61 else 0))
        if guessed.wait_s > 61:
            break
    assert looked <= limit, "ten accounts have no more tries at a site than one"
    assert passes.guess(house, make_account(house, "nurse", scope="TPE1"), "TPE1", wrong).wait_s > 60


def test_a_right_answer_takes_no_wrong_ones_back_until_the_person_is_known(house, permit, nurse):
    right = shown(house, permit).digits
    guessed = passes.guess(house, nurse, "TPE1", right)
    assert guessed.found.permit == permit.id and guessed.tries
    f = staff.sign_in_failure
    with house.read() as tx:
        counted = {row.subject: row.count for row in tx.execute(sa.select(f).where(f.c.subject_kind == "pass"))}
    assert [counted[subject.name] for subject in guessed.tries] == [1]
    assert right not in str(counted) and nurse.id not in str(counted)


def test_who_may_not_identify_there_may_not_guess_there(house, permit):
    for role, scope in (("nurse", "TPE2"), ("coordinator", "TPE1"), ("auditor", "TPE1")):
        with pytest.raises(Refusal, match="not_permitted"):
            passes.guess(house, make_account(house, role, scope=scope), "TPE1", shown(house, permit).digits)
