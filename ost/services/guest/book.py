"""Take a site's places for a request: under the site's lock, and by keys that hold without it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import guest
from ost.services.guest import calendar
from ost.services.work import Work

_P = guest.guest_place


def take_places(
    work: Work,
    *,
    request: str,
    patient: str,
    site: str,
    days: Iterable[date],
    second: Collection[date] = (),
    known: Mapping[tuple[str, date], calendar.OpenDay] | None = None,
) -> None:
    """A place at `site` on each of `days`; on those in `second`, beside the one the person has, until one of both goes.

    The patient is locked. `known`: what `calendar.open_days` said of the site under its lock; else it is locked and
    read here.

    Refusal("guest_place_gone", days=...) where a day is closed or full; ("guest_day_taken", days=...) where the
    person has a place that day already, wherever. Nothing is taken unless all are.
    """
    wanted = sorted(set(days))
    if known is None:
        calendar.lock_sites(work, [site])
    open_ = calendar.open_days(work.tx, [site], wanted) if known is None else known
    gone = [d for d in wanted if (site, d) not in open_ or open_[site, d].free < 1]
    if gone:
        raise Refusal("guest_place_gone", days=", ".join(d.isoformat() for d in gone))
    own = sa.select(_P.c.day, _P.c.second).where(_P.c.patient == patient, _P.c.day.in_(wanted)).order_by(_P.c.day)
    taken = [row.day for row in work.tx.execute(own) if row.second == (row.day in second)]
    if taken:
        raise Refusal("guest_day_taken", days=", ".join(d.isoformat() for d in taken))
    seats: dict[date, set[int]] = {d: set() for d in wanted}
    for day, seat in work.tx.execute(sa.select(_P.c.day, _P.c.seat).where(_P.c.site == site, _P.c.day.in_(wanted))):
        seats[day].add(seat)
    work.add_many(
        _P,
        [
            {
                "site": site,
                "day": day,
                "seat": next(n for n in range(1, open_[site, day].places + 1) if n not in seats[day]),
                "request": request,
                "patient": patient,
                "second": day in second,
            }
            for day in wanted
        ],
    )
