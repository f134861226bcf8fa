"""The stock room: every microlitre has a line, and residue is destroyed by two."""

from __future__ import annotations

import threading
from datetime import date

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from ost import keys
from ost.db import Database
from ost.errors import Refusal
from ost.models import stock as tables
from ost.services import register, stock, stock_read, witness
from ost.services.credentials import hash_secret
from ost.services.verify import verify
from ost.services.work import House
from tests.make import make_account, make_counter, make_product, make_site

LAST = date(2099, 1, 1)


@pytest.fixture
def room(house):
    make_site(house)
    make_product(house)
    make_counter(house)
    return make_account(house, "pharmacist")


def received(house, room, volume_ul=1_000_000, **values) -> stock.Received:
    given_ = {"site_id": "HUA1", "product_id": "methadone-10", "lot": "L7", "expires_on": LAST, "delivery": "D-1"}
    return stock.receive(house, room, volume_ul=volume_ul, **(given_ | values))


def balance(house, bottle_id) -> int:
    with house.read() as tx:
        return tx.execute(sa.select(tables.bottle.c.balance_ul).where(tables.bottle.c.id == bottle_id)).scalar_one()


def kinds(house, room, bottle_id) -> list[tuple[str, int]]:
    return [(line.kind, line.change_ul) for line in stock_read.lines(house, room, bottle_id)]


def test_a_bottle_comes_in_with_its_first_line_and_is_found_by_its_label(house, room):
    done = received(house, room)
    assert (done.line, done.balance_ul) == (1, 1_000_000)
    assert stock_read.by_label(house, room, "HUA1", done.label + "\n").id == done.bottle
    assert received(house, room).bottle != done.bottle
    with pytest.raises(Refusal) as refused:
        received(house, room, bottle_id=done.bottle)
    assert refused.value.code == "bottle_exists"
    # A number typed by hand that the site would have used next is passed over.
    received(house, room, bottle_id="MH1-00004")
    assert received(house, room).bottle == "MH1-00005"
    assert verify(house).passed


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"volume_ul": 0}, "volume"),
        ({"volume_ul": 10**12}, "volume"),
        ({"lot": " "}, "lot"),
        ({"delivery": ""}, "delivery"),
        ({"product_id": "nothing"}, "product"),
        ({"expires_on": date(2020, 1, 1)}, "expires_on"),
        ({"bottle_id": "R-HUA1-x"}, "bottle"),
        ({"bottle_id": "../etc"}, "bottle"),
    ],
)
def test_what_cannot_be_received_leaves_no_bottle(house, room, values, field):
    with pytest.raises(Refusal) as refused:
        received(house, room, **values)
    assert field in refused.value.fields
    assert stock_read.bottles(house, room, "HUA1") == []


def test_opening_takes_the_label_or_a_coded_reason(house, room):
    one, two = received(house, room), received(house, room)
    with pytest.raises(Refusal) as refused:
        stock.open_bottle(house, room, one.bottle, site_id="HUA1")
    assert refused.value.code == "bottle_scan_needed"
    with pytest.raises(Refusal) as refused:
        stock.open_bottle(house, room, one.bottle, site_id="HUA1", scanned=two.label)
    assert refused.value.code == "bottle_other_label"
    stock.open_bottle(house, room, one.bottle, site_id="HUA1", counter="HUA1-1", scanned=one.label)
    stock.open_bottle(house, room, one.bottle, site_id="HUA1", counter="HUA1-1", scanned=one.label)
    stock.open_bottle(house, room, two.bottle, site_id="HUA1", unscanned_reason="label_damaged")
    assert {b.state for b in stock_read.bottles(house, room, "HUA1")} == {"open"}


def test_another_sites_bottle_is_unknown(house, room):
    make_site(house, "TPE1", "TPE")
    other = make_account(house, "pharmacist", scope="TPE1")
    done = received(house, room)
    for act in (
        lambda: stock.open_bottle(house, other, done.bottle, site_id="TPE1", scanned=done.label),
        lambda: stock.count(house, other, done.bottle, site_id="TPE1", counted_ul=0, reason="mine"),
        lambda: stock.spill(house, other, done.bottle, site_id="TPE1", volume_ul=5, reason="leak"),
        lambda: stock_read.by_label(house, other, "TPE1", done.label),
    ):
        with pytest.raises(Refusal) as refused:
            act()
        assert refused.value.code == "bottle_unknown"
    with pytest.raises(Refusal) as refused:
        stock.count(house, other, done.bottle, site_id="HUA1", counted_ul=0, reason="theirs")
    assert refused.value.code == "not_permitted"
    assert balance(house, done.bottle) == 1_000_000


def test_a_count_that_fits_is_a_line_and_one_that_does_not_needs_a_reason(house, room):
    done = received(house, room, 100_000)
    fits = stock.count(house, room, done.bottle, site_id="HUA1", counted_ul=100_000)
    assert (fits.line, fits.difference_ul, fits.alert, fits.report_until) == (2, 0, False, None)
    with pytest.raises(Refusal) as refused:
        stock.count(house, room, done.bottle, site_id="HUA1", counted_ul=98_000)
    assert refused.value.code == "count_reason_needed"
    small = stock.count(house, room, done.bottle, site_id="HUA1", counted_ul=98_000, reason="foam")
    assert (small.difference_ul, small.alert) == (-2_000, False)
    big = stock.count(house, room, done.bottle, site_id="HUA1", counted_ul=50_000, reason="bottle was knocked over")
    assert big.alert
    assert (big.report_until - stock_read.lines(house, room, done.bottle)[-1].day).days == 7
    assert balance(house, done.bottle) == 50_000
    assert stock_read.lines(house, room, done.bottle)[-1].reference == "loss"


def test_closing_moves_the_rest_into_the_jar(house, room):
    done = received(house, room, 7_000)
    stock.close_bottle(house, room, done.bottle, site_id="HUA1", reason="cracked")
    assert kinds(house, room, done.bottle) == [("received", 7_000), ("to_residue", -7_000), ("closed", 0)]
    jar = register.jar_id("HUA1", "methadone-10")
    assert kinds(house, room, jar) == [("residue_in", 7_000)]
    assert stock_read.lines(house, room, jar)[0].reference == f"{done.bottle}/2"
    with pytest.raises(Refusal) as refused:
        stock.open_bottle(house, room, done.bottle, site_id="HUA1", scanned=done.label)
    assert refused.value.code == "bottle_closed"
    assert verify(house).passed


@pytest.fixture
def jar(house, room):
    done = received(house, room, 7_000)
    stock.close_bottle(house, room, done.bottle, site_id="HUA1", reason="cracked")
    return register.jar_id("HUA1", "methadone-10")


def token(house, room, username="second", subject=None, act="destroy") -> str:
    subject = subject or stock.destroy_subject("HUA1", "methadone-10")
    made = witness.witness(house, room, subject, "HUA1", username, "482913", act)
    return made.token


def destroy(house, room, volume_ul, witness_token) -> stock.Destroyed:
    return stock.destroy_residue(
        house,
        room,
        site_id="HUA1",
        product_id="methadone-10",
        volume_ul=volume_ul,
        certificate="C-2026-1",
        method="poured into absorbent",
        witness=witness_token,
    )


def test_residue_is_destroyed_by_two_persons_both_on_the_line(house, room, jar):
    second = make_account(house, "nurse", username="second", pin_hash=hash_secret("482913"), display_name="Second Nurse")
    done = destroy(house, room, 5_000, token(house, room))
    assert (done.balance_ul, done.second) == (2_000, second.id)
    with house.read() as tx:
        line = tx.execute(sa.select(tables.register_line).where(tables.register_line.c.kind == "destroyed")).one()
    assert (line.by, line.second, line.reference) == (room.id, second.id, "C-2026-1")
    assert verify(house).passed


def test_nobody_destroys_residue_alone_or_with_a_used_or_borrowed_token(house, room, jar):
    make_account(house, "nurse", username="second", pin_hash=hash_secret("482913"))
    used, borrowed = token(house, room), token(house, room, subject="bottle:R-HUA1-other")
    for_another_act = token(house, room, act="void")
    destroy(house, room, 1_000, used)
    for wrong in (used, borrowed, for_another_act, "", "made up"):
        with pytest.raises(Refusal) as refused:
            destroy(house, room, 1_000, wrong)
        assert refused.value.code == "witness_invalid"
    me = make_account(house, "pharmacist", username="me", pin_hash=hash_secret("482913"))
    with pytest.raises(Refusal) as refused:
        # Signed by somebody, then used by that same person.
        destroy(house, me, 1_000, token(house, room, username="me"))
    assert refused.value.code == "witness_is_you"
    assert balance(house, jar) == 6_000


def test_a_refused_destruction_leaves_the_token_good(house, room, jar):
    make_account(house, "nurse", username="second", pin_hash=hash_secret("482913"))
    good = token(house, room)
    with pytest.raises(Refusal) as refused:
        destroy(house, room, 8_000, good)
    assert refused.value.code == "residue_too_little"
    assert destroy(house, room, 7_000, good).balance_ul == 0


def test_two_counters_make_one_jar(house, room):
    bottles = [received(house, room, 1_000).bottle for _ in range(4)]
    start = threading.Barrier(4)

    def close(bottle_id):
        start.wait()
        stock.close_bottle(house, room, bottle_id, site_id="HUA1", reason="all at once")

    threads = [threading.Thread(target=close, args=(b,)) for b in bottles]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert balance(house, register.jar_id("HUA1", "methadone-10")) == 4_000
    assert verify(house).passed


def test_the_day_adds_up_from_the_lines_alone(house, room):
    done = received(house, room, 10_000)
    with house.work(room, "HUA1", "test.dose") as work:
        head = register.lock_bottle(work, done.bottle)
        day = stock.today_at(work, "HUA1")
        poured = register.append_line(work, head, kind="dispensed", change_ul=-6_000, day=day, dose="d1")
        register.put_back(work, poured, "d1", 2_000, "residue", day)
    with house.work(room, "HUA1", "test.dose") as work:
        head = register.lock_bottle(work, done.bottle)
        poured = register.append_line(work, head, kind="dispensed", change_ul=-3_000, day=day, dose="d2")
        register.put_back(work, poured, "d2", 500, "spilled", day)
    stock_row, jar_row = stock_read.totals(house, room, "HUA1", day, day)
    assert stock_row.sums_ul == {
        "received": 10_000,
        "dispensed": -9_000,
        "returned": 2_500,
        "spilled": -500,
        "to_residue": -2_000,
    }
    assert stock_row.swallowed_ul == 6_500
    assert (stock_row.opening_ul, stock_row.closing_ul) == (0, 1_000)
    assert balance(house, done.bottle) == 1_000
    assert (jar_row.kind, jar_row.closing_ul, jar_row.sums_ul) == ("residue", 2_000, {"residue_in": 2_000})
    assert verify(house).passed


def test_more_than_the_bottle_holds_is_refused_and_keeps_nothing(house, room):
    done = received(house, room, 1_000)
    with pytest.raises(Refusal) as refused:
        stock.spill(house, room, done.bottle, site_id="HUA1", volume_ul=1_001, reason="leak")
    assert refused.value.code == "bottle_too_little"
    assert kinds(house, room, done.bottle) == [("received", 1_000)]


def test_a_lost_power_between_line_and_commit_loses_both(house, room):
    done = received(house, room, 1_000)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(house, room, done.bottle)
    assert balance(house, done.bottle) == 1_000
    assert verify(house).passed


def _interrupted(house, room, bottle_id):
    with house.work(room, "HUA1", "test.power") as work:
        head = register.lock_bottle(work, bottle_id)
        register.append_line(work, head, kind="dispensed", change_ul=-400, day=stock.today_at(work, "HUA1"))
        raise KeyboardInterrupt


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("dose"), st.integers(1, 400), st.sampled_from([None, "returned", "spilled", "residue"])),
        st.tuples(st.just("spill"), st.integers(1, 400)),
        st.tuples(st.just("count"), st.integers(0, 1_200)),
        st.tuples(st.just("crash"), st.integers(1, 400)),
        st.tuples(st.just("open"), st.integers(0, 1)),
        st.tuples(st.just("close")),
    ),
    max_size=14,
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_whatever_happens_the_register_is_the_stock(kind, databases):
    """Random days at a stock room against a dictionary of two numbers."""

    @settings(max_examples=12)
    @given(steps=STEPS)
    def day(steps):
        with databases.clone(kind) as url:
            database = Database(url)
            try:
                _one_day(House(database, keys.ephemeral(), demo=True), steps)
            finally:
                database.close()

    day()


def _one_day(house, steps):
    make_site(house)
    make_product(house)
    room = make_account(house, "pharmacist")
    bottle_id = received(house, room, 1_000).bottle
    model, closed, swallowed = {"stock": 1_000, "jar": 0}, False, 0
    for n, (what, *how) in enumerate(steps):
        try:
            if what == "dose":
                volume, rest_goes = how
                with house.work(room, "HUA1", "test.dose") as work:
                    head = register.lock_bottle(work, bottle_id)
                    today = stock.today_at(work, "HUA1")
                    out = register.append_line(
                        work, head, kind="dispensed", change_ul=-volume, day=today, dose=f"d{n}"
                    )
                    if rest_goes:
                        rest = (volume + 1) // 2
                        register.put_back(work, out, f"d{n}", rest, rest_goes, today)
                rest = (volume + 1) // 2 if rest_goes else 0
                model["stock"] -= volume - (rest if rest_goes == "returned" else 0)
                model["jar"] += rest if rest_goes == "residue" else 0
                swallowed += volume - rest
            elif what == "spill":
                stock.spill(house, room, bottle_id, site_id="HUA1", volume_ul=how[0], reason="leak")
                model["stock"] -= how[0]
            elif what == "count":
                stock.count(house, room, bottle_id, site_id="HUA1", counted_ul=how[0], reason="measured")
                model["stock"] = how[0]
            elif what == "crash":
                with house.work(room, "HUA1", "test.crash") as work:
                    head = register.lock_bottle(work, bottle_id)
                    register.append_line(
                        work, head, kind="dispensed", change_ul=-how[0], day=stock.today_at(work, "HUA1")
                    )
                    raise ZeroDivisionError
            elif what == "open":
                stock.open_bottle(house, room, bottle_id, site_id="HUA1", unscanned_reason="no_scanner")
            else:
                stock.close_bottle(house, room, bottle_id, site_id="HUA1", reason="end")
                model["jar"] += model["stock"]
                model["stock"], closed = 0, True
        except ZeroDivisionError:
            pass
        except Refusal as refusal:
            if refusal.code != ("bottle_closed" if closed and what in ("open", "close") else "bottle_too_little"):
                raise
        assert balance(house, bottle_id) == model["stock"] >= 0
    jars = [b for b in stock_read.bottles(house, room, "HUA1") if b.kind == "residue"]
    assert sum(b.balance_ul for b in jars) == model["jar"]
    totals = stock_read.totals(house, room, "HUA1", date(2000, 1, 1), date(2100, 1, 1))
    assert {t.kind: t.closing_ul for t in totals if t.closing_ul} == {
        kind: value for kind, value in (("stock", model["stock"]), ("residue", model["jar"])) if value
    }
    assert sum(t.swallowed_ul for t in totals) == swallowed
    report = verify(house)
    assert report.passed, report.problems
