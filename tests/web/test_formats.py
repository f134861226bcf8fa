"""What a page says about time is said on the site's clock."""

from datetime import UTC, date, datetime

from ost.web.formats import clock, day_of

# 07:50 in Taipei on the 18th is still the 17th in UTC: the hours in which most people are dosed.
MORNING = datetime(2026, 11, 17, 23, 50, tzinfo=UTC)


def test_a_morning_belongs_to_the_sites_own_day():
    assert (day_of(MORNING), clock(MORNING)) == (date(2026, 11, 18), "07:50")
    assert day_of(MORNING, "Europe/London") == date(2026, 11, 17)
