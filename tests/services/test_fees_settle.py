"""Tariffs with their sources, quotes, receipts at the desk, and months between sites that never change again."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from ost.errors import Refusal
from ost.models import fee
from ost.rules import fees as rules
from ost.services.fees import charge, quote, receipts, settle, tariff
from ost.services.verify import verify
from ost.services.work import SYSTEM
from tests.make import make_account, make_clinic, make_guest_site, make_patient, make_site
from tests.services.feeing import DAY, charges, make_tariff, network, subject

NEW = {
    "item": "per_dose",
    "county": "HUA",
    "patient_class": "adult",
    "amount_ntd": 250,
    "payer_share_percent": 100,
    "from_day": date(2026, 1, 1),
    "to_day": None,
    "source": "letter of 1 January",
    "status": "guideline",
}


# --- plain arithmetic --------------------------------------------------------------

ntd = st.integers(0, 50_000)


@settings(max_examples=60)
@given(amount=ntd, percent=st.integers(0, 100), cap=st.none() | ntd, used=ntd)
def test_every_dollar_is_paid_by_somebody_and_never_more_than_the_cap_leaves(amount, percent, cap, used):
    part = rules.share(amount, percent, cap, used)
    assert part.payer_ntd + part.own_ntd == amount
    assert 0 <= part.payer_ntd <= amount * percent / 100
    assert cap is None or part.payer_ntd <= max(0, cap - used)


def test_what_is_unknown_stays_unknown():
    assert rules.share(None, 50, 100, 0) == rules.Share(None, None, None)
    assert rules.share(200, None, 100, 0) == rules.Share(200, None, None)
    for wrong in ((-1, 50, None, 0), (1, 101, None, 0), (1, -1, None, 0), (1, 1, -1, 0), (1, 1, 1, -1)):
        with pytest.raises(ValueError, match=r"negative|between"):
            rules.share(*wrong)


@pytest.mark.parametrize(
    ("born", "day", "found"),
    [
        (date(2008, 3, 11), date(2026, 3, 10), "minor"),
        (date(2008, 3, 11), date(2026, 3, 11), "adult"),
        (date(2008, 2, 29), date(2026, 2, 28), "minor"),
        (date(2008, 2, 29), date(2026, 3, 1), "adult"),
    ],
)
def test_who_is_a_minor(born, day, found):
    assert rules.patient_class(born, day, 18) == found


# --- the tariff --------------------------------------------------------------------


def test_the_countrys_file_comes_in_once_and_knows_what_nobody_published(house, clock):
    assert tariff.load(house) == 6 + 44
    assert tariff.load(house) == 0
    with house.read() as tx:
        caps = {c: tariff.cap_in_force(tx, "TXG", 2026, c).cap_ntd for c in rules.CLASSES}
        elsewhere = [tariff.cap_in_force(tx, c, 2026, "adult") for c in ("TPE", "HUA", "LIE")]
        items = tariff.items(tx)
    assert caps == {"adult": 35_000, "minor": 40_000}
    assert [c.cap_ntd for c in elsewhere] == [None] * 3 and {c.status for c in elsewhere} == {"open"}
    assert {(i.amount_ntd, i.payer_share_percent, i.status) for i in items} == {(None, None, "open")}
    assert {i.item for i in items} == set(rules.ITEMS) and all(i.source for i in items)
    assert verify(house).passed


def test_a_changed_file_adds_and_changes_nothing(house, clock, tmp_path):
    text = tariff.FILES["tw"].read_text(encoding="utf-8")
    tariff.load(house)
    clock.shift(60)
    changed = tmp_path / "fees.toml"
    changed.write_text(text.replace("cap_ntd = 35000", "cap_ntd = 36000"), encoding="utf-8")
    assert tariff.load(house, changed) == 1
    with house.read() as tx:
        assert tariff.cap_in_force(tx, "TXG", 2026, "adult").cap_ntd == 36_000
        assert len([c for c in tariff.caps(tx) if c.county == "TXG"]) == 3


def test_two_processes_load_the_same_rows_once(house):
    gate = threading.Barrier(3)
    counts = []

    def work():
        gate.wait()
        counts.append(tariff.load(house))

    hands = [threading.Thread(target=work) for _ in range(3)]
    [h.start() for h in hands]
    [h.join() for h in hands]
    assert sorted(counts) == [0, 0, 50]


def test_the_payers_own_row_wins_over_everywheres_and_the_newer_over_the_older(house, clock):
    actor = network(house)
    everywhere = tariff.add_item(house, actor, **NEW | {"county": None, "amount_ntd": 100})
    clock.shift(1)
    own = tariff.add_item(house, actor, **NEW | {"to_day": date(2026, 3, 31)})
    clock.shift(1)
    tariff.add_item(house, actor, **NEW | {"county": None, "amount_ntd": 111, "from_day": date(2026, 6, 1)})
    with house.read() as tx:

        def found(day, county="HUA"):
            return tariff.item_in_force(tx, "per_dose", county, "adult", day)

        assert found(date(2026, 3, 31)).id == own
        assert found(date(2026, 4, 1)).id == everywhere == found(date(2026, 3, 31), "TPE").id
        assert found(date(2026, 6, 1)).amount_ntd == 111
        assert found(date(2025, 12, 31)) is None
        assert tariff.item_in_force(tx, "per_dose", "HUA", "minor", DAY) is None


def test_who_may_set_prices(house):
    make_site(house, "HUA1")
    for actor in (make_account(house, "case_manager"), make_account(house, "admin"), network(house, "coordinator")):
        with pytest.raises(Refusal, match="not_permitted"):
            tariff.add_item(house, actor, **NEW)
    county = make_account(house, "case_manager", scope="HUA", scope_kind="county")
    assert tariff.add_item(house, county, **NEW)
    for change in ({"county": None}, {"county": "TPE"}):
        with pytest.raises(Refusal, match="not_permitted"):
            tariff.add_item(house, county, **NEW | change)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"item": "gift"}, "item"),
        ({"county": "XXX"}, "county"),
        ({"patient_class": "dog"}, "patient_class"),
        ({"amount_ntd": -1}, "amount_ntd"),
        ({"amount_ntd": 1_000_001}, "amount_ntd"),
        ({"payer_share_percent": 101}, "payer_share_percent"),
        ({"from_day": None}, "from_day"),
        ({"to_day": date(2025, 1, 1)}, "to_day"),
        ({"source": "  "}, "source"),
        ({"source": "x" * 201}, "source"),
        ({"status": "sure"}, "status"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused_by_field(house, change, field):
    with pytest.raises(Refusal) as refused:
        tariff.add_item(house, network(house), **NEW | change)
    assert set(refused.value.fields) == {field}
    with house.read() as tx:
        assert tariff.items(tx) == []


# --- before booking ------------------------------------------------------------------


@pytest.fixture
def clinic(house, clock):
    found = make_clinic(house, came_yesterday=False)
    make_site(house, "TPE1", county="TPE")
    make_guest_site(house, "TPE1")
    return found


def quoted(house, clinic, days) -> quote.Quote:
    with house.read() as tx:
        return quote.quote(house, tx, clinic.patient, "HUA1", "TPE1", days)


def test_a_quote_says_who_pays_what_and_what_is_left(house, clinic):
    make_tariff(house, percent=60, cap=700)
    charge._charge(house, subject(clinic.patient))  # 120 are used
    found = quoted(house, clinic, [DAY + timedelta(days=n) for n in (1, 2, 3)])
    assert [(line.item, line.count, line.amount_ntd, line.payer_ntd, line.own_ntd) for line in found.lines] == [
        ("set_up", 1, 500, 300, 200),
        ("countersign", 1, 300, 180, 120),
        ("per_dose", 3, 600, 100, 500),  # only 100 are left of the year
    ]
    assert (found.payer_ntd, found.own_ntd, found.unknown) == (580, 820, ())
    assert [(y.year, y.cap_ntd, y.used_ntd, y.left_ntd) for y in found.years] == [(2026, 700, 120, 580)]
    assert found.county == "HUA" and found.patient_class == "adult"


def test_a_quote_says_what_nobody_knows(house, clinic):
    make_tariff(house, percent=100, per_dose=None)
    found = quoted(house, clinic, [DAY])
    assert found.unknown == ("per_dose",)
    assert (found.own_ntd, found.payer_ntd) == (0, 800)
    assert [(y.cap_ntd, y.left_ntd) for y in found.years] == [(None, None)]
    with house.db.begin() as tx:
        tx.execute(sa.text("UPDATE site SET policy = 'base' WHERE id = 'TPE1'"))
    assert [line.item for line in quoted(house, clinic, [DAY]).lines] == ["set_up", "per_dose"]


def test_a_stay_over_new_year_uses_two_years(house, clinic):
    make_tariff(house, percent=100, cap=1000)
    found = quoted(house, clinic, [date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 2)])
    assert [(y.year, y.left_ntd) for y in found.years] == [(2026, 1000), (2027, 1000)]
    assert found.payer_ntd == 1000 + 400 and found.own_ntd == 0


# --- at the desk -------------------------------------------------------------------------


@pytest.fixture
def owed(house, clinic):
    """Three doses at TPE1, NT$80 each to be paid by the person."""
    make_tariff(house, percent=60)
    for n in range(3):
        charge._charge(house, subject(clinic.patient, day=DAY + timedelta(days=n)))
    return sorted(c.id for c in charges(house))


def refused(code: str, call, *args):
    with pytest.raises(Refusal) as found:
        call(*args)
    assert found.value.code == code


def test_a_payment_is_written_down_once(house, clinic, owed):
    desk = make_account(house, "case_manager", scope="TPE1")
    assert receipts.unpaid_at(house, desk, "TPE1") == [
        (clinic.patient, receipts.of_patient(house, clinic.patient).number, 240, 0)
    ]
    refused("fee_paid_differs", receipts.pay, house, desk, clinic.patient, "TPE1", owed[:2], 150)
    first = receipts.pay(house, desk, clinic.patient, "TPE1", owed[:2], 160)
    assert receipts.pay(house, desk, clinic.patient, "TPE1", owed[:2], 160) == first
    refused("fee_charge_not_open", receipts.pay, house, desk, clinic.patient, "TPE1", owed, 240)
    refused("fee_charge_not_open", receipts.pay, house, desk, clinic.patient, "TPE1", [], 0)
    refused("fee_charge_not_open", receipts.pay, house, desk, clinic.patient, "TPE1", ["nothing"], 0)
    second = receipts.pay(house, desk, clinic.patient, "TPE1", owed[2:], 80)
    assert second == first + 1
    account = receipts.of_patient(house, clinic.patient)
    assert (account.owed_ntd, [r.total_ntd for r in account.receipts]) == (0, [80, 160])
    assert receipts.unpaid_at(house, desk, "TPE1") == []
    assert verify(house).passed


def test_two_desks_take_one_payment_once(house, clinic, owed):
    desk = make_account(house, "case_manager", scope="TPE1")
    gate, numbers = threading.Barrier(2), []

    def work(ids):
        gate.wait()
        try:
            numbers.append(receipts.pay(house, desk, clinic.patient, "TPE1", ids, 80 * len(ids)))
        except Refusal as refusal:
            numbers.append(refusal.code)

    hands = [threading.Thread(target=work, args=(ids,)) for ids in (owed[:2], owed[1:])]
    [h.start() for h in hands]
    [h.join() for h in hands]
    assert "fee_charge_not_open" in numbers and len(charges_paid(house)) == 2


def charges_paid(house) -> list:
    with house.read() as tx:
        found = tx.execute(sa.select(fee.fee_receipt.c.charges)).scalars()
        return [c for each in found for c in each.strip("[]").split(",")]


def test_a_charge_taken_back_after_it_was_paid_is_paid_back(house, clinic, owed):
    desk = make_account(house, "case_manager", scope="TPE1")
    receipts.pay(house, desk, clinic.patient, "TPE1", owed, 240)
    paid = next(c for c in charges(house) if c.id == owed[0])
    charge._reverse(house, paid)
    account = receipts.of_patient(house, clinic.patient)
    assert account.owed_ntd == -80
    back = next(c.id for c in account.charges if c.reverses)
    refused("fee_paid_differs", receipts.pay, house, desk, clinic.patient, "TPE1", [back], 80)
    receipts.pay(house, desk, clinic.patient, "TPE1", [back], -80)
    assert receipts.of_patient(house, clinic.patient).owed_ntd == 0


def test_whose_money_is_whose_business(house, clinic, owed):
    away = make_account(house, "case_manager", scope="TPE1")
    home = make_account(house, "case_manager", scope="HUA1")
    make_site(house, "KHH1", county="KHH")
    third = make_account(house, "case_manager", scope="KHH1")
    number = receipts.pay(house, away, clinic.patient, "TPE1", owed[:1], 80)
    assert len(receipts.of_patient_at(house, home, clinic.patient, "HUA1").charges) == 3
    assert receipts.of_patient_at(house, away, clinic.patient, "TPE1").used == ()
    refused("patient_unknown", receipts.of_patient_at, house, third, clinic.patient, "KHH1")
    refused("not_permitted", receipts.of_patient_at, house, third, clinic.patient, "HUA1")
    refused("not_permitted", receipts.pay, house, third, clinic.patient, "TPE1", owed[1:], 160)
    refused("not_permitted", receipts.pay, house, make_account(house, "nurse", scope="TPE1"), clinic.patient, "TPE1", owed[1:], 160)
    refused("fee_charge_not_open", receipts.pay, house, home, clinic.patient, "HUA1", owed[1:], 160)
    assert receipts.receipt(house, away, number, "TPE1").total_ntd == 80
    refused("fee_receipt_unknown", receipts.receipt, house, home, number, "HUA1")
    assert receipts.own_receipt(house, clinic.patient, number).number == number
    refused("fee_receipt_unknown", receipts.own_receipt, house, make_patient(house, "HUA1"), number)
    refused("fee_receipt_unknown", receipts.own_receipt, house, clinic.patient, 99)


# --- months -------------------------------------------------------------------------------


def spend(house, clinic, *days, **values) -> None:
    for day in days:
        assert charge._charge(house, subject(clinic.patient, day=day, **values)) == 1


def test_a_month_is_settled_after_its_end_and_the_same_again(house, clinic, clock):
    make_tariff(house, percent=60)
    spend(house, clinic, DAY, date(2026, 3, 31))
    spend(house, clinic, DAY, site="HUA1")  # at home: nobody owes anybody
    actor = network(house)
    refused("fee_month_not_over", settle.settle, house, actor, "2026-03")
    clock.move_to("2026-03-31T15:59:59+00:00")
    refused("fee_month_not_over", settle.settle, house, actor, "2026-03")
    clock.move_to("2026-03-31T16:00:00+00:00")  # 1 April in Taipei
    [first] = settle.settle(house, actor, "2026-03")
    assert (first.home_site, first.site, first.doses, first.amount_ntd, first.open_items) == ("HUA1", "TPE1", 2, 240, 0)
    assert settle.settle(house, SYSTEM, "2026-03") == [first]
    assert verify(house).passed


def test_what_comes_late_goes_into_the_next_month(house, clinic, clock):
    make_tariff(house, percent=60)
    spend(house, clinic, DAY)
    clock.move_to("2026-04-05T00:00:00+00:00")
    [march] = settle.settle(house, SYSTEM, "2026-03")
    clock.shift(1)
    spend(house, clinic, DAY)  # its outcome was settled late
    make_site(house, "KHH1", county="KHH")
    spend(house, clinic, DAY, site="KHH1")  # a pair that had nothing before
    voided = charges(house)[0]
    charge._reverse(house, voided)
    assert settle.settle(house, SYSTEM, "2026-03") == [march]
    clock.move_to("2026-05-05T00:00:00+00:00")
    april = settle.settle(house, SYSTEM, "2026-04")
    assert [(s.site, s.doses, s.amount_ntd) for s in april] == [("KHH1", 1, 120), ("TPE1", 0, 0)]
    assert settle.run(house) == 2
    assert settle.settle(house, SYSTEM, "2026-03") == [march]
    with house.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(fee.settlement_charge)).scalar() == 4


def test_two_settle_at_once_and_every_charge_counts_once(house, clinic, clock):
    make_tariff(house, percent=60)
    spend(house, clinic, DAY, DAY)
    clock.move_to("2026-04-05T00:00:00+00:00")
    gate, found = threading.Barrier(3), []

    def work():
        gate.wait()
        found.append(settle.settle(house, SYSTEM, "2026-03"))

    hands = [threading.Thread(target=work) for _ in range(3)]
    [h.start() for h in hands]
    [h.join() for h in hands]
    assert len(found) == 3 and found[0] == found[1] == found[2]
    assert found[0][0].doses == 2


def test_open_items_are_counted_and_not_summed(house, clinic, clock):
    make_tariff(house, percent=60, per_dose=None)
    spend(house, clinic, DAY, DAY)
    spend(house, clinic, DAY, kind="set_up")
    clock.move_to("2026-04-05T00:00:00+00:00")
    [found] = settle.settle(house, SYSTEM, "2026-03")
    assert (found.doses, found.amount_ntd, found.open_items) == (2, 300, 2)


def test_who_sees_a_settlement_and_that_it_names_nobody(house, clinic, clock):
    make_tariff(house, percent=60)
    spend(house, clinic, DAY)
    clock.move_to("2026-04-05T00:00:00+00:00")
    [found] = settle.settle(house, SYSTEM, "2026-03")
    make_site(house, "KHH1", county="KHH")
    for code in ("HUA1", "TPE1"):
        manager = make_account(house, "case_manager", scope=code)
        assert settle.of_sites(house, manager) == [found]
        shown, lines = settle.one(house, manager, found.id)
        assert shown == found and len(lines) == 1
        text = f"{shown}{lines}"
        assert clinic.patient not in text and receipts.of_patient(house, clinic.patient).number not in text
    stranger = make_account(house, "case_manager", scope="KHH1")
    assert settle.of_sites(house, stranger) == []
    refused("settlement_unknown", settle.one, house, stranger, found.id)
    refused("settlement_unknown", settle.one, house, stranger, "nothing")
    refused("not_permitted", settle.settle, house, stranger, "2026-03")
    refused("input_invalid", settle.settle, house, network(house), "2026-13")
    refused("input_invalid", settle.settle, house, network(house), "=cmd()")


def test_the_health_department_sees_sums_of_its_county(house, clinic, clock):
    make_tariff(house, percent=60)
    spend(house, clinic, *[DAY] * 6)
    reader = make_account(house, "health_department_reader", scope="HUA", scope_kind="county")
    # A sum that grows with every dose tells of each: the month is over first.
    assert settle.by_month(house, reader) == [settle.Sums("2026-03", "HUA", None, None, None, None)]
    clock.move_to("2026-04-01T01:00:00+00:00")
    assert settle.by_month(house, reader) == [settle.Sums("2026-03", "HUA", 6, 1200, 720, 0)]
    spend(house, clinic, *[date(2026, 4, 1)] * 4)
    assert settle.by_month(house, reader)[0] == settle.Sums("2026-04", "HUA", None, None, None, None)
    prescriber = make_account(house, "prescriber", scope="HUA1")
    assert [s.doses for s in settle.by_month(house, prescriber)] == [4, 6]
    elsewhere = make_account(house, "health_department_reader", scope="TPE", scope_kind="county")
    assert settle.by_month(house, elsewhere) == []
    refused("not_permitted", receipts.unpaid_at, house, reader, "HUA1")
