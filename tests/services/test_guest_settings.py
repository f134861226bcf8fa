"""A site's own rules for guests: hours, holidays, days that are otherwise; what is booked stands."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit, guest, opening, site
from ost.services.guest import book, calendar, settings, steps
from ost.services.guest.settings import Hours
from ost.services.work import Actor, new_id
from tests.make import make_account, make_guest_site, make_patient, make_site

TODAY = date(2026, 3, 10)  # the clock fixture's Tuesday
USUAL = Hours("07:00", "11:30", "12:00", 4, 2)


@pytest.fixture
def there(house, clock):
    make_site(house, "HUA1")
    make_guest_site(house, "HUA1")
    return make_account(house, "prescriber", scope="HUA1")


def booked(house, *days: date, code: str = "HUA1", person: str | None = None) -> str:
    """A request of somebody with places there, as asking writes it."""
    person, request = person or make_patient(house, "HUA1"), new_id()
    with house.work(Actor("test"), code, "test.asked", patient=person) as work:
        work.lock_patients([person])
        number = work.next_change_no("guest_request")
        work.add(
            guest.guest_request, id=request, number=number, patient=person, home_site="HUA1", site=code, kind="asked",
            days="[]", orders="[]", content_digest="0" * 64, by="system", by_role="home", at=work.now,
        )  # fmt: skip
        who = steps.Who("test", "home", "HUA1")
        steps.begin(
            work, request=request, patient=person, home_site="HUA1", site=code, days=days, who=who, action="ask"
        )
        book.take_places(work, request=request, patient=person, site=code, days=days)
    return request


def version(house, code: str = "HUA1") -> int:
    with house.read() as tx:
        g = opening.guest_site
        return tx.execute(sa.select(g.c.version).where(g.c.site == code)).scalar_one()


def week(usual: Hours | None = USUAL, **other: Hours | None) -> dict[int, Hours | None]:
    """Every kind of day alike, but `d7=None`."""
    return {day: other.get(f"d{day}", usual) for day in settings.WEEKDAYS}


def on(house, day: date, code: str = "HUA1") -> calendar.OpenDay | None:
    with house.read() as tx:
        return calendar.open_days(tx, [code], [day]).get((code, day))


# --- the calendar ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "day", "kind"),
    [
        ("tw", date(2026, 2, 17), 8),  # Chinese New Year's Day, a Tuesday
        ("tw", date(2026, 10, 9), 8),  # the Friday given for National Day on a Saturday
        ("tw", date(2026, 10, 12), 1),
        ("tw", date(2023, 1, 7), 5),  # a Saturday made up for the New Year: worked as a Friday
        ("tw", date(2026, 3, 7), 6),
        ("us", date(2026, 7, 3), 8),  # Independence Day observed
        ("uk", date(2026, 12, 28), 8),  # Boxing Day observed
        ("cn", date(2026, 2, 14), 5),  # worked for the Spring Festival
        ("elsewhere", date(2026, 2, 17), 2),  # a pack without a country keeps no holidays
    ],
)
def test_whose_hours_a_day_has(policy, day, kind):
    assert calendar.kind_of(policy, day) == kind


def test_holidays_bear_names_in_each_language_of_the_pages():
    first, last = date(2026, 12, 1), date(2027, 1, 31)
    assert calendar.holidays_between("tw", first, last, "zh_Hant_TW") == [
        (date(2026, 12, 25), "行憲紀念日"),
        (date(2027, 1, 1), "中華民國開國紀念日"),
    ]
    assert calendar.holidays_between("tw", first, last, "en")[0][1] == "Constitution Day"
    assert calendar.holidays_between("us", first, last, "zh_Hant_TW")[0][0] == date(2026, 12, 25)
    assert calendar.worked_between("tw", date(2023, 1, 1), date(2023, 3, 1)) == [
        date(2023, 1, 7), date(2023, 2, 4), date(2023, 2, 18),
    ]  # fmt: skip
    assert calendar.holidays_between("elsewhere", first, last, "en") == []


def test_an_own_day_wins_over_a_holiday_and_that_over_the_weekday(house, there):
    short = Hours("08:00", "09:30", "10:00", 2, 0)
    settings.set_hours(house, there, "HUA1", week(d8=short), 1)
    friday, plain = date(2026, 5, 1), date(2026, 5, 8)  # Labour Day and a Friday like any other
    assert on(house, plain).closes == "12:00" and on(house, friday).closes == "10:00"
    settings.set_day(house, there, "HUA1", friday, Hours("06:00", "06:30", "07:00", 1, 1), "training", 2)
    assert on(house, friday) == calendar.OpenDay("HUA1", friday, "06:00", "06:30", "07:00", 1, 1, 0)
    settings.clear_day(house, there, "HUA1", friday, 3)
    assert on(house, friday).closes == "10:00"
    settings.set_hours(house, there, "HUA1", week(d8=None), 4)
    assert on(house, friday) is None and on(house, plain) is not None


# --- what may be set ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        (Hours("7:00", "11:30", "12:00", 4, 2), "opens_3", "guest_time_wrong"),
        (Hours("24:00", "11:30", "12:00", 4, 2), "opens_3", "guest_time_wrong"),
        (Hours("07:00", "11:3O", "12:00", 4, 2), "last_dose_3", "guest_time_wrong"),
        (Hours("07:00", "11:30", "12:00\n", 4, 2), "closes_3", "guest_time_wrong"),
        (Hours("07:00", "07:00", "12:00", 4, 2), "last_dose_3", "guest_times_order"),
        (Hours("07:00", "12:30", "12:00", 4, 2), "closes_3", "guest_times_order"),
        (Hours("07:00", "11:30", "12:00", -1, 0), "places_3", "guest_places_wrong"),
        (Hours("07:00", "11:30", "12:00", 501, 0), "places_3", "guest_places_wrong"),
        (Hours("07:00", "11:30", "12:00", 4, 5), "at_once_3", "guest_at_once_wrong"),
        (Hours("07:00", "11:30", "12:00", 4, -1), "at_once_3", "guest_at_once_wrong"),
    ],
)
def test_hours_that_are_none_are_refused_by_field_and_nothing_is_kept(house, there, wrong, field, code):
    with pytest.raises(Refusal) as no:
        settings.set_hours(house, there, "HUA1", week(d3=wrong), 1)
    assert no.value.fields == {field: [code]} and version(house) == 1
    assert on(house, TODAY).places == 4


def test_a_day_lies_ahead_and_has_a_listed_reason(house, there):
    for day in (TODAY - timedelta(days=1), TODAY + timedelta(days=settings.MOST_AHEAD_DAYS + 1)):
        with pytest.raises(Refusal) as no:
            settings.set_day(house, there, "HUA1", day, None, "training", 1)
        assert no.value.fields == {"day": ["guest_day_not_settable"]}
    with pytest.raises(Refusal) as no:
        settings.set_day(house, there, "HUA1", TODAY, None, "hangover", 1)
    assert no.value.fields == {"why": ["not_a_choice"]}
    settings.set_day(house, there, "HUA1", TODAY, None, "training", 1)
    assert on(house, TODAY) is None


def test_two_people_changing_the_same_settings_do_not_overwrite_each_other(house, there):
    settings.set_hours(house, there, "HUA1", week(d7=None), 1)
    for late in (
        lambda: settings.set_hours(house, there, "HUA1", week(), 1),
        lambda: settings.set_day(house, there, "HUA1", TODAY, None, None, 1),
        lambda: settings.clear_day(house, there, "HUA1", TODAY, 1),
    ):
        with pytest.raises(Refusal, match="guest_settings_changed"):
            late()
    assert on(house, date(2026, 3, 15)) is None  # a Sunday: the first change stands


def test_where_a_site_is(house, there):
    words = {"zh_hant": "花蓮市示範路1號", "zh_hans": "花莲市示范路1号", "en": "1 Demo Road"}
    given = {"lat_e6": 23_976_900, "lon_e6": 121_604_400, "addresses": words, "equipment": ["step_free"]}
    settings.set_place(house, there, "HUA1", **given, countersign=True, version=1)
    found = settings.read(house, there, "HUA1").place
    assert (found.lat_e6, found.equipment, found.countersign, found.listed) == (23_976_900, ("step_free",), True, True)
    wrong = {"lat_e6": 90_000_001, "lon_e6": -180_000_001, "addresses": words | {"en": " "}, "equipment": ["helipad"]}
    with pytest.raises(Refusal) as no:
        settings.set_place(house, there, "HUA1", **wrong, countersign=True, version=2)
    assert set(no.value.fields) == {"lat", "lon", "address_en", "equipment"}
    # A site that never said anything is not listed by saying where it is.
    make_site(house, "HUA2")
    head = make_account(house, "admin", scope="HUA2")
    assert settings.read(house, head, "HUA2").place is None
    settings.set_place(house, head, "HUA2", **given, countersign=False, version=0)
    assert settings.read(house, head, "HUA2").place.listed is False
    with pytest.raises(Refusal, match="guest_settings_changed"):
        settings.set_place(house, head, "HUA2", **given, countersign=False, version=0)


def test_only_whoever_holds_it_there_sets_a_sites_rules(house, there):
    make_site(house, "HUA2")
    make_guest_site(house, "HUA2")
    nurse = make_account(house, "nurse", scope="HUA1")
    for who, code in ((nurse, "HUA1"), (there, "HUA2")):
        for act in (
            lambda who=who, code=code: settings.read(house, who, code),
            lambda who=who, code=code: settings.set_hours(house, who, code, week(None), 1),
            lambda who=who, code=code: settings.set_day(house, who, code, TODAY, None, None, 1),
            lambda who=who, code=code: settings.clear_day(house, who, code, TODAY, 1),
        ):
            with pytest.raises(Refusal, match="not_permitted"):
                act()


def test_every_change_stands_in_the_chain_with_who_and_what(house, there):
    settings.set_hours(house, there, "HUA1", week(d7=None), 1)
    settings.set_day(house, there, "HUA1", TODAY, None, "training", 2)
    e = audit.audit_event
    with house.read() as tx:
        rows = tx.execute(sa.select(e.c.kind, e.c.actor, e.c.payload).where(e.c.kind.like("guest.%"))).all()
    found = {row.kind: row for row in rows}
    assert {row.actor for row in rows} == {there.id}
    assert '"7":null' in found["guest.hours"].payload and '"why":"training"' in found["guest.day"].payload


# --- what is booked stands -------------------------------------------------------------


def test_places_lowered_below_what_is_taken_leave_the_bookings_and_are_shown(house, there):
    day = date(2026, 3, 12)
    for _ in range(3):
        booked(house, day)
    full = settings.set_hours(house, there, "HUA1", week(Hours("07:00", "11:30", "12:00", 2, 2)), 1)
    assert full == (settings.Booked(day, 3, 2),)
    assert settings.read(house, there, "HUA1").overbooked == full
    assert on(house, day).free == 0 and on(house, day).taken == 3
    with pytest.raises(Refusal, match="guest_place_gone"):
        booked(house, day)
    with house.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(guest.guest_place)).scalar() == 3


def test_a_booked_day_closes_only_when_said_twice(house, there):
    thursday, sunday = date(2026, 3, 12), date(2026, 3, 15)
    booked(house, thursday, sunday)
    for close in (
        lambda anyway: settings.set_hours(house, there, "HUA1", week(d4=None), version(house), anyway=anyway),
        lambda anyway: settings.set_day(house, there, "HUA1", sunday, None, "training", version(house), anyway=anyway),
    ):
        before = version(house)
        with pytest.raises(Refusal, match="guest_days_booked"):
            close(False)
        assert version(house) == before
        assert close(True)
    assert on(house, thursday) is None and on(house, sunday) is None
    # The bookings stand, shown as more than there is room for, until a closure takes them elsewhere.
    assert settings.read(house, there, "HUA1").overbooked == (
        settings.Booked(thursday, 1, 0), settings.Booked(sunday, 1, 0),
    )  # fmt: skip
    # A day that was closed already warns of nothing new.
    settings.set_hours(house, there, "HUA1", week(d4=None, d1=None), version(house))


def test_a_day_that_a_closure_set_is_the_closures(house, there):
    with house.work(Actor("test"), "HUA1", "test.closure") as work:
        work.add(opening.site_day, site="HUA1", day=TODAY, closed=True, closure=new_id(), by="test", at=work.now)
        work.payload = {"closure": "made"}
    for act in (
        lambda: settings.set_day(house, there, "HUA1", TODAY, USUAL, None, 1),
        lambda: settings.clear_day(house, there, "HUA1", TODAY, 1),
    ):
        with pytest.raises(Refusal, match="guest_day_of_closure"):
            act()
    assert on(house, TODAY) is None


def test_yesterdays_bookings_warn_nobody(house, there, clock):
    booked(house, TODAY)
    clock.shift(timedelta(days=1))
    assert settings.set_hours(house, there, "HUA1", week(d2=None), 1) == ()


def test_a_site_that_is_not_listed_keeps_its_settings_and_is_in_nobodys_calendar(house, there):
    booked(house, TODAY)
    with house.db.begin() as tx:
        tx.execute(sa.update(opening.guest_site).values(listed=False))
    assert on(house, TODAY) is None
    assert settings.read(house, there, "HUA1").overbooked == ()  # by its hours there is room
    with house.db.begin() as tx:
        tx.execute(sa.update(opening.guest_site).values(listed=True))
        tx.execute(sa.update(site.site).values(active=False))
    assert on(house, TODAY) is None
