"""Where a person may be reached: sealed, verified, one of each kind, and nobody else's business."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models.portal import patient_contact
from ost.services.messages import contacts, send
from ost.services.verify import verify
from tests.make import make_account, make_patient, make_site
from tests.services.messages import FakeChannel, make_contact, patient_actor

LINE_ID = "U" + "0a" * 16


@pytest.fixture
def person(house, clock):
    make_site(house, "HUA1")
    return make_patient(house, "HUA1")


@pytest.fixture
def me(person):
    return patient_actor(person)


def refused(code: str, call, *args):
    with pytest.raises(Refusal) as found:
        call(*args)
    assert found.value.code == code
    return found.value


@pytest.mark.parametrize(
    ("channel", "typed", "kept"),
    [
        ("sms", "0912-345-678", "+886912345678"),
        ("sms", " 0912 345 678 ", "+886912345678"),
        ("sms", "０９１２３４５６７８", "+886912345678"),
        ("sms", "+1 (415) 555-2671", "+14155552671"),
        ("email", " Someone@EXAMPLE.org ", "Someone@example.org"),
        ("line", LINE_ID, LINE_ID),
    ],
)
def test_addresses_as_people_type_them(channel, typed, kept):
    assert contacts.normal(channel, typed) == kept


@pytest.mark.parametrize(
    ("channel", "typed"),
    [
        ("sms", "03-856-0101"),
        ("sms", "0912"),
        ("sms", "+0912345678"),
        ("sms", "0912345678\n"[::-1] + "x"),
        ("sms", "+8869123456789012"),
        ("email", "someone"),
        ("email", "a@b"),
        ("email", "a@example.org\nBcc: c@example.org"),
        ("email", "a@example.org, c@example.org"),
        ("email", "<a@example.org>"),
        ("email", "陳@example.org"),
        ("email", "a" * 200 + "@example.org"),
        ("email", "a" * 65 + "@example.org"),
        # No mail can be written to these: each would break off in the middle of sending.
        ("email", "a..b@example.org"),
        ("email", ".a@example.org"),
        ("email", "a\x00b@example.org"),
        ("email", "a\x1bb@example.org"),
        ("email", "=?utf-8?q?a?=@example.org"),
        ("line", "someone"),
        ("line", LINE_ID.upper()),
        ("line", ""),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(house, person, me, channel, typed):
    refusal = refused("input_invalid", contacts.set, house, me, person, channel, typed)
    assert refusal.fields == {"address": ["contact_address_wrong"]} and refusal.data == {}
    assert contacts.of_patient(house, me, person) == []


def test_an_address_lies_sealed_and_is_shown_in_part(house, person, me):
    id_ = contacts.set(house, me, person, "sms", "0912345678")
    with house.read() as tx:
        row = tx.execute(sa.select(patient_contact)).one()
        events = tx.execute(sa.text("SELECT payload FROM audit_event")).scalars().all()
    assert b"912345678" not in bytes(row.address_sealed) and not any("912345678" in e for e in events)
    [found] = contacts.of_patient(house, me, person)
    assert (found.id, found.shown, found.verified, found.rank) == (id_, "…678", False, 1)
    assert "912345678" not in repr(found)
    assert contacts.shown("email", "someone@example.org") == "s…@example.org"
    assert verify(house).passed


def test_a_moved_ciphertext_does_not_open(house, person, me):
    """The address of one contact in another's row: sealed to person, table and row."""
    from ost.keys import SealBroken

    contacts.set(house, me, person, "sms", "0912345678")
    contacts.set(house, me, person, "email", "a@example.org")
    c = patient_contact
    with house.db.begin() as tx:
        other = tx.execute(sa.select(c.c.address_sealed).where(c.c.channel == "email")).scalar_one()
        tx.execute(sa.update(c).where(c.c.channel == "sms").values(address_sealed=other))
    with pytest.raises(SealBroken):
        contacts.of_patient(house, me, person)


def test_a_new_address_takes_the_old_ones_place_and_is_verified_anew(house, person, me):
    first = make_contact(house, person)
    make_contact(house, person, "email", "a@example.org")
    assert contacts.set(house, me, person, "sms", "0912-345678") == first  # the same
    contacts.set(house, me, person, "sms", "0987654321")
    assert [(c.channel, c.shown, c.verified, c.rank) for c in contacts.of_patient(house, me, person)] == [
        ("sms", "…321", False, 1),
        ("email", "a…@example.org", True, 2),
    ]


def sent_code(house, sms) -> str:
    send.send_due(house, [sms])
    return "".join(ch for ch in sms.sent[-1].body if ch.isdigit())[:6]


def test_wrong_codes_are_counted_and_five_are_the_end(house, person, me):
    id_, sms = contacts.set(house, me, person, "sms", "0912345678"), FakeChannel()
    contacts.send_code(house, me, person, id_)
    code = sent_code(house, sms)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    assert [contacts.verify(house, me, person, id_, wrong) for _ in range(5)] == [False] * 5
    assert not contacts.verify(house, me, person, id_, code)
    contacts.send_code(house, me, person, id_)
    assert contacts.verify(house, me, person, id_, sent_code(house, sms))
    assert contacts.of_patient(house, me, person)[0].verified


def test_guessing_at_once_has_no_more_tries(house, person, me):
    id_, sms = contacts.set(house, me, person, "sms", "0912345678"), FakeChannel()
    contacts.send_code(house, me, person, id_)
    code = int(sent_code(house, sms))
    guesses = [f"{(code + n) % 10**6:06}" for n in range(1, 9)]
    gate, found = threading.Barrier(4), []

    def guess(mine):
        gate.wait()
        found.extend(contacts.verify(house, me, person, id_, each) for each in mine)

    hands = [threading.Thread(target=guess, args=(guesses[n::4],)) for n in range(4)]
    [h.start() for h in hands]
    [h.join() for h in hands]
    with house.read() as tx:
        assert tx.execute(sa.text("SELECT tries FROM portal_code")).scalar() == 5
    assert found == [False] * 8 and not contacts.verify(house, me, person, id_, f"{code:06}")


def test_a_code_is_good_once_for_ten_minutes_for_its_own_address(house, person, me, clock):
    phone = contacts.set(house, me, person, "sms", "0912345678")
    mail = contacts.set(house, me, person, "email", "a@example.org")
    sms = FakeChannel()
    contacts.send_code(house, me, person, phone)
    code = sent_code(house, sms)
    assert not contacts.verify(house, me, person, mail, code)
    clock.shift(timedelta(minutes=10))
    assert not contacts.verify(house, me, person, phone, code)
    contacts.send_code(house, me, person, phone)
    code = sent_code(house, sms)
    assert contacts.verify(house, me, person, phone, code)
    assert contacts.verify(house, me, person, phone, code)  # the form was sent twice
    assert not contacts.verify(house, me, person, phone, f"{(int(code) + 1) % 10**6:06}")


def test_an_older_code_is_dead_with_a_newer_one(house, person, me, clock):
    id_, sms = contacts.set(house, me, person, "sms", "0912345678"), FakeChannel()
    contacts.send_code(house, me, person, id_)
    first = sent_code(house, sms)
    clock.shift(1)
    contacts.send_code(house, me, person, id_)
    second = sent_code(house, sms)
    assert first == second or not contacts.verify(house, me, person, id_, first)
    assert contacts.verify(house, me, person, id_, second)


def test_no_flood_of_codes(house, person, me, clock):
    id_ = contacts.set(house, me, person, "sms", "0912345678")
    for _ in range(5):
        contacts.send_code(house, me, person, id_)
    refused("contact_codes_too_many", contacts.send_code, house, me, person, id_)
    clock.shift(timedelta(hours=1, seconds=1))
    contacts.send_code(house, me, person, id_)


def test_other_people_and_other_sites(house, person, me):
    id_ = contacts.set(house, me, person, "sms", "0912345678")
    other = make_patient(house, "HUA1")
    make_site(house, "TPE1", county="TPE")
    for stranger in (patient_actor(other), make_account(house, "nurse", scope="TPE1"), make_account(house, "admin")):
        for call, more in (
            (contacts.of_patient, ()),
            (contacts.set, ("sms", "0987654321")),
            (contacts.send_code, (id_,)),
            (contacts.verify, (id_, "123456")),
            (contacts.end, (id_,)),
            (contacts.prefer, (id_,)),
        ):
            refused("not_permitted", call, house, stranger, person, *more)
    # One's own record does not open another's contact.
    theirs = patient_actor(other)
    refused("contact_unknown", contacts.send_code, house, theirs, other, id_)
    refused("contact_unknown", contacts.verify, house, theirs, other, id_, "123456")
    contacts.end(house, theirs, other, id_)
    assert len(contacts.of_patient(house, me, person)) == 1
    refused("patient_unknown", contacts.of_patient, house, me, "nobody")


def test_only_staff_say_that_they_saw_it_arrive(house, person, me):
    id_ = contacts.set(house, me, person, "sms", "0912345678")
    refused("not_permitted", contacts.seen, house, me, person, id_)
    contacts.seen(house, make_account(house, "nurse"), person, id_)
    assert contacts.of_patient(house, me, person)[0].verified


def test_taken_away_is_away_and_twice_is_the_same(house, person, me):
    id_ = make_contact(house, person)
    contacts.end(house, me, person, id_)
    contacts.end(house, me, person, id_)
    assert contacts.of_patient(house, me, person) == []
    refused("contact_unknown", contacts.send_code, house, me, person, id_)
