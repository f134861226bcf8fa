"""The outbox is emptied once: crashes, silence, two senders, refusals, old news, taken-back consents."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import clock as house_clock
from ost.channels.interface import NotSent, Sent, Unknown
from ost.errors import Refusal
from ost.models import audit, message
from ost.models.lookup import consent_end
from ost.services.messages import contacts, failed, outbox, send
from ost.services.verify import verify
from tests.make import make_account, make_patient, make_site
from tests.services.messages import (
    SYSTEM,
    FakeChannel,
    agree,
    make_contact,
    make_reached,
    news,
    patient_actor,
    rows,
    state,
    tries,
)

BUSY, REFUSED, SILENT = NotSent("busy"), NotSent("refused", permanent=True), Unknown("no_answer")


def test_news_goes_out_once_and_the_try_is_a_record(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel(Sent("gw-17"))
    assert send.send_due(house, [sms]) == {"sent": 1}
    assert send.send_due(house, [sms]) == {}
    assert [(m.key, m.to, m.language) for m in sms.sent] == [(id_, "+886912345678", "zh-Hant-TW")]
    assert state(house, id_) == ("sent", None)
    assert tries(house, id_) == [(1, "sms", "sent", None)]
    with house.read() as tx:
        assert tx.execute(sa.select(message.message_try.c.provider_id)).scalar() == "gw-17"
    assert verify(house).passed


def test_the_same_fact_is_told_once(house, clock):
    person = make_reached(house)
    assert news(house, person, dedupe="confirmed:1")
    assert news(house, person, dedupe="confirmed:1") is None
    sms = FakeChannel()
    assert send.send_due(house, [sms]) == {"sent": 1}
    assert len(sms.sent) == 1


def test_two_transactions_telling_the_same_fact_leave_one_row(house):
    """A key, not a check: whoever comes second fails with their whole transaction."""
    person = make_reached(house)
    gate, answers = threading.Barrier(2), []

    def tell():
        gate.wait()
        try:
            answers.append(news(house, person, dedupe="confirmed:1"))
        except sa.exc.IntegrityError:
            answers.append(None)

    hands = [threading.Thread(target=tell) for _ in range(2)]
    [h.start() for h in hands]
    [h.join() for h in hands]
    assert len(rows(house)) == 1 and sum(a is not None for a in answers) == 1


def test_many_senders_never_send_one_twice(house):
    people = [make_reached(house) for _ in range(3)]
    ids = [news(house, person) for person in people for _ in range(6)]
    sms = FakeChannel()
    gate, done = threading.Barrier(4), []

    def work():
        gate.wait()
        done.append(send.send_due(house, [sms], workers=2))

    hands = [threading.Thread(target=work) for _ in range(4)]
    [h.start() for h in hands]
    [h.join() for h in hands]
    assert sorted(m.key for m in sms.sent) == sorted(ids)
    assert sum(d["sent"] for d in done) == len(ids)
    assert {r.state for r in rows(house)} == {"sent"}


def test_news_arrives_in_the_order_it_was_made_whatever_is_busy(house, clock):
    """Told in one transaction; the first one meets a busy line, and the second waits for it."""
    person = make_reached(house)
    with house.work(SYSTEM, "HUA1", "test.news", patient=person) as work:
        told = [
            outbox.tell(work, person, kind, f"{kind}:1", request=1) for kind in ("guest_paused", "guest_resumed")
        ]
    sms = FakeChannel(BUSY, BUSY, Sent())
    other = make_reached(house)
    theirs = news(house, other)
    assert send.send_due(house, [sms])["waiting"] >= 1
    assert state(house, told[1])[0] == "waiting" and told[1] not in [m.key for m in sms.sent]
    for _ in range(4):
        clock.shift(600)
        send.send_due(house, [sms], workers=3)
    arrived = [m.key for m in sms.sent if state(house, m.key)[0] == "sent"]
    assert arrived.index(told[0]) < arrived.index(told[1])
    assert theirs in arrived


def test_a_code_does_not_wait_behind_other_news(house, clock):
    person = make_reached(house)
    me = patient_actor(person)
    stuck = news(house, person)
    send.send_due(house, [FakeChannel(BUSY)])
    contacts.send_code(house, me, person, contacts.of_patient(house, me, person)[0].id)
    sms = FakeChannel()
    assert send.send_due(house, [sms]) == {"sent": 1}
    assert stuck not in [m.key for m in sms.sent]


def test_it_is_on_disk_before_anything_goes_out(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    seen = []
    sms = FakeChannel(before=lambda m: seen.append((state(house, m.key)[0], rows(house, m.key)[0].tries)))
    send.send_due(house, [sms])
    assert seen == [("sending", 1)]
    assert state(house, id_)[0] == "sent"


def test_a_crash_between_claim_and_mark_is_unknown_and_nobody_sends_it_again(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel()
    claimed = send.claim(house, [sms])  # and then the power went
    assert claimed.id == id_
    clock.shift(299)
    assert send.send_due(house, [sms]) == {}
    assert state(house, id_) == ("sending", None)
    clock.shift(2)
    assert send.send_due(house, [sms]) == {"unknown": 1}
    clock.shift(timedelta(hours=20))
    assert send.send_due(house, [sms]) == {}
    assert state(house, id_) == ("unknown", "lease_over")
    assert tries(house, id_) == [(1, "sms", "unknown", "lease_over")]
    assert sms.sent == []
    assert verify(house).passed


def test_a_crash_before_the_claim_was_kept_leaves_it_waiting(house, clock):
    person = make_reached(house)
    id_ = news(house, person)

    def broken():
        raise RuntimeError("power")

    dead = replace(house, now=broken, memo={})
    with pytest.raises(RuntimeError):
        send.claim(dead, [FakeChannel()])
    assert state(house, id_) == ("waiting", None)
    assert send.send_due(house, [FakeChannel()]) == {"sent": 1}


def test_a_sender_who_comes_back_late_says_what_it_knows(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel()
    claimed = send.claim(house, [sms])
    clock.shift(301)
    send.send_due(house, [sms])
    assert send.mark(house, claimed, Sent("late"), [sms]) == "sent"
    assert [t[2] for t in tries(house, id_)] == ["unknown", "sent"]
    assert send.send_due(house, [sms]) == {}


def test_a_late_yes_stops_what_a_person_had_sent_again(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel()
    claimed = send.claim(house, [sms])
    clock.shift(301)
    send.sweep(house)
    failed.send_again(house, make_account(house, "case_manager"), id_)
    assert state(house, id_)[0] == "waiting"
    assert send.mark(house, claimed, Sent("late"), [sms]) == "sent"
    assert send.send_due(house, [sms]) == {}
    assert sms.sent == []


def test_a_late_no_changes_nothing_and_numbers_never_collide(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel()
    first = send.claim(house, [sms])
    clock.shift(301)
    send.sweep(house)
    failed.send_again(house, make_account(house, "case_manager"), id_)
    second = send.claim(house, [sms])
    assert send.mark(house, first, BUSY, [sms]) == "sending"
    assert send.mark(house, second, Sent(), [sms]) == "sent"
    assert sorted(t[0] for t in tries(house, id_)) == [1, 2, 3]


def test_not_now_is_tried_later_and_twice_as_late_each_time_then_given_up(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel(BUSY)
    waits = []
    while state(house, id_)[0] == "waiting":
        assert send.send_due(house, [sms]) == {state(house, id_)[0]: 1}
        row = rows(house, id_)[0]
        if row.state == "waiting":
            waits.append((row.next_at - house_clock.now()).total_seconds())
            clock.shift(waits[-1] - 1)
            assert send.send_due(house, [sms]) == {}
            clock.shift(1)
    assert waits == [60, 120, 240, 480, 960]
    assert state(house, id_) == ("given_up", "busy")
    assert len(sms.sent) == 6 and len({m.key for m in sms.sent}) == 1
    clock.shift(timedelta(hours=5))
    assert send.send_due(house, [sms]) == {}


def test_the_far_end_says_how_long_to_wait(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    send.send_due(house, [FakeChannel(NotSent("busy", retry_after_s=900))])
    assert (rows(house, id_)[0].next_at - house_clock.now()).total_seconds() == 900


def test_silence_is_not_tried_again_where_keys_mean_nothing(house, clock):
    person = make_reached(house)
    make_contact(house, person, "email", "a@example.org")
    id_ = news(house, person)
    sms, mail = FakeChannel(SILENT), FakeChannel(name="smtp", serves=("email",))
    assert send.send_due(house, [sms, mail]) == {"unknown": 1}
    clock.shift(timedelta(hours=10))
    assert send.send_due(house, [sms, mail]) == {}
    assert (len(sms.sent), len(mail.sent)) == (1, 0)
    assert state(house, id_) == ("unknown", "no_answer")


def test_silence_is_tried_again_with_the_same_key_where_it_is_taken_once_and_by_nobody_else(house, clock):
    person = make_reached(house)
    make_contact(house, person, "email", "a@example.org")
    news(house, person)
    sms, mail = FakeChannel(SILENT, BUSY, Sent(), knows_keys=True), FakeChannel(name="smtp", serves=("email",))
    for _ in range(3):
        send.send_due(house, [sms, mail])
        clock.shift(600)
    assert len(sms.sent) == 3 and len({m.key for m in sms.sent}) == 1
    assert mail.sent == []
    assert rows(house)[0].state == "sent"


def test_silence_for_longer_than_keys_are_kept_is_unknown(house, clock):
    """A no after silence leaves it unknown whether it arrived."""
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel(SILENT, BUSY, knows_keys=True)
    send.send_due(house, [sms])
    clock.shift(timedelta(hours=23, minutes=1))
    assert send.send_due(house, [sms]) == {"unknown": 1}
    assert state(house, id_) == ("unknown", "busy")


def test_the_next_way_is_tried_at_once_and_the_order_is_the_persons(house, clock):
    person = make_reached(house)
    mail_id = make_contact(house, person, "email", "a@example.org")
    contacts.prefer(house, patient_actor(person), person, mail_id)
    news(house, person)
    sms, mail = FakeChannel(Sent()), FakeChannel(BUSY, name="smtp", serves=("email",))
    assert send.send_due(house, [sms, mail]) == {"waiting": 1, "sent": 1}
    assert [m.to for m in mail.sent + sms.sent] == ["a@example.org", "+886912345678"]


def test_an_address_that_is_refused_is_given_up_and_a_new_one_is_tried(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel(REFUSED, Sent())
    assert send.send_due(house, [sms]) == {"given_up": 1}
    assert state(house, id_) == ("given_up", "refused")
    clock.shift(60)
    make_contact(house, person, "sms", "0987654321")
    failed.send_again(house, make_account(house, "case_manager"), id_)
    assert send.send_due(house, [sms]) == {"sent": 1}
    assert sms.sent[-1].to == "+886987654321"


def test_without_consent_or_address_or_way_it_goes_nowhere_visibly(house, clock):
    make_site(house, "HUA1")
    person = make_patient(house, "HUA1")
    sms = FakeChannel()
    silent = news(house, person)
    assert send.send_due(house, [sms]) == {"nowhere": 1}
    agree(house, person)
    nobody = news(house, person)
    assert send.send_due(house, [sms]) == {"nowhere": 1}
    make_contact(house, person, verified=False)
    unverified = news(house, person)
    send.send_due(house, [sms])
    make_contact(house, person, "email", "a@example.org")
    no_way = news(house, person)
    send.send_due(house, [sms])
    errors = [state(house, each)[1] for each in (silent, nobody, unverified, no_way)]
    assert errors == ["no_consent", "no_address", "no_address", "no_channel"]
    assert sms.sent == []
    shown = failed.of_site(house, make_account(house, "case_manager"), "HUA1")
    assert {f.id for f in shown} == {silent, nobody, unverified, no_way}


def test_a_consent_taken_back_holds_for_what_waits_already(house, clock):
    make_site(house, "HUA1")
    person = make_patient(house, "HUA1")
    given = agree(house, person)
    make_contact(house, person)
    id_ = news(house, person)
    with house.work(SYSTEM, "HUA1", "test.end", patient=person) as work:
        work.add(consent_end, consent=given, site="HUA1", by="x", at=work.now)
    sms = FakeChannel()
    assert send.send_due(house, [sms]) == {"nowhere": 1}
    assert state(house, id_) == ("nowhere", "no_consent")
    assert sms.sent == []


def test_an_address_taken_away_holds_for_what_waits_already(house, clock):
    person = make_reached(house)
    me = patient_actor(person)
    id_ = news(house, person)
    contacts.end(house, me, person, contacts.of_patient(house, me, person)[0].id)
    assert send.send_due(house, [FakeChannel()]) == {"nowhere": 1}
    assert state(house, id_) == ("nowhere", "no_address")


def test_somebody_forgotten_is_told_nothing(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    with house.db.begin() as tx:
        tx.execute(sa.text("UPDATE person_key SET wrapped = NULL WHERE person = :p"), {"p": person})
    assert send.send_due(house, [FakeChannel()]) == {"nowhere": 1}
    assert state(house, id_) == ("nowhere", "forgotten")


def test_old_news_stays_unsent_and_cannot_be_sent_again(house, clock):
    person = make_reached(house)
    today = house_clock.dosing_day(house_clock.now(), "Asia/Taipei")
    id_ = news(house, person, days=[today], site="HUA1")
    clock.shift(timedelta(hours=15, minutes=50))  # midnight in Taipei: the day is over
    assert send.send_due(house, [FakeChannel()]) == {"given_up": 1}
    assert state(house, id_) == ("given_up", "too_late")
    with pytest.raises(Refusal, match="message_not_to_resend"):
        failed.send_again(house, make_account(house, "case_manager"), id_)


def test_a_code_goes_out_without_consent_to_its_own_address_and_is_gone_afterwards(house, clock):
    make_site(house, "HUA1")
    person = make_patient(house, "HUA1")
    me = patient_actor(person)
    contact = contacts.set(house, me, person, "sms", "0912-345-678")
    contacts.send_code(house, me, person, contact)
    row = rows(house)[0]
    assert row.secret_sealed
    sms = FakeChannel()
    assert send.send_due(house, [sms]) == {"sent": 1}
    assert sms.sent[0].to == "+886912345678"
    code = "".join(c for c in sms.sent[0].body if c.isdigit())[:6]
    assert rows(house)[0].secret_sealed is None
    assert code not in str(rows(house)[0])
    assert not contacts.verify(house, me, person, contact, "000000" if code != "000000" else "111111")
    assert contacts.verify(house, me, person, contact, f" {code[:3]} {code[3:]} ")
    assert contacts.of_patient(house, me, person)[0].verified


def test_a_code_that_is_late_is_worth_nothing(house, clock):
    make_site(house, "HUA1")
    person = make_patient(house, "HUA1")
    me = patient_actor(person)
    contact = contacts.set(house, me, person, "sms", "0912345678")
    contacts.send_code(house, me, person, contact)
    clock.shift(timedelta(minutes=10))
    sms = FakeChannel()
    assert send.send_due(house, [sms]) == {"given_up": 1}
    assert sms.sent == [] and rows(house)[0].secret_sealed is None
    with pytest.raises(Refusal, match="message_not_to_resend"):
        failed.send_again(house, make_account(house, "case_manager"), rows(house)[0].id)


def test_one_that_cannot_be_written_does_not_stand_before_the_others(house, clock):
    person = make_reached(house)
    bad = news(house, person)
    with house.db.begin() as tx:
        m = message.message
        tx.execute(sa.update(m).where(m.c.id == bad).values(data='{"days":["soon"]}'))
    clock.shift(1)
    good = news(house, person)
    sms = FakeChannel()
    assert send.send_due(house, [sms]) == {"given_up": 1, "sent": 1}
    assert state(house, bad) == ("given_up", "unreadable")
    assert [m.key for m in sms.sent] == [good]


def test_a_channel_that_breaks_leaves_its_message_unknown_and_the_rest_goes_on(house, clock):
    person = make_reached(house)
    first = news(house, person)
    clock.shift(1)
    second = news(house, person)
    sms = FakeChannel(RuntimeError("bug"), Sent())
    assert send.send_due(house, [sms]) == {"unknown": 1, "sent": 1}
    assert (state(house, first), state(house, second)) == (("unknown", "channel_broke"), ("sent", None))


def test_who_may_have_it_sent_again_and_it_is_recorded(house, clock):
    person = make_reached(house)
    id_ = news(house, person)
    sms = FakeChannel(SILENT, Sent())
    send.send_due(house, [sms])
    make_site(house, "TPE1", "TPE")
    elsewhere, nurse = make_account(house, "case_manager", scope="TPE1"), make_account(house, "nurse")
    for stranger in (elsewhere, nurse, patient_actor(person)):
        with pytest.raises(Refusal, match="message_unknown"):
            failed.send_again(house, stranger, id_)
    manager = make_account(house, "case_manager")
    with pytest.raises(Refusal, match="message_unknown"):
        failed.send_again(house, manager, "no-such-message")
    failed.send_again(house, manager, id_)
    with pytest.raises(Refusal, match="message_not_to_resend"):
        failed.send_again(house, manager, id_)  # it waits already
    assert send.send_due(house, [sms]) == {"sent": 1}
    with pytest.raises(Refusal, match="message_not_to_resend"):
        failed.send_again(house, manager, id_)
    e = audit.audit_event
    with house.read() as tx:
        events = tx.execute(sa.select(e).where(e.c.kind == "message.again")).all()
    assert [(x.actor, x.patient) for x in events] == [(manager.id, person)]


def test_the_centre_sees_requests_and_no_person(house, clock):
    person = make_reached(house)
    with_request = news(house, person)
    news(house, person, "portal_new_sign_in", request=None)
    send.send_due(house, [FakeChannel(REFUSED)])
    centre = make_account(house, "coordinator", scope="*", scope_kind="network")
    seen = failed.of_network(house, centre)
    assert [(f.id, f.request, f.number) for f in seen] == [(with_request, 7, None)]
    with pytest.raises(Refusal, match="not_permitted"):
        failed.of_site(house, centre, "HUA1")
    with pytest.raises(Refusal, match="not_permitted"):
        failed.of_network(house, make_account(house, "case_manager"))
    assert len(failed.of_site(house, make_account(house, "case_manager"), "HUA1")) == 2
