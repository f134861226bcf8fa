"""What closures make of a site's calendar: the row of a day while any of them stands, and what was there before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical
from ost.models import closure, opening
from ost.models import site as sites
from ost.rules import closure as rules
from ost.services.guest import calendar
from ost.services.work import Work

_D, _CD, _C, _CE = opening.site_day, closure.closure_day, closure.closure, closure.closure_end
_COLUMNS = ("closed", "opens", "last_dose", "closes", "places", "at_once", "why", "closure", "by", "at")


def before(tx: Connection, keys: Iterable[tuple[str, date]]) -> dict[tuple[str, date], str | None]:
    """{(site, day): canonical text of the site's own row without any closure; None: it has none}."""
    keys = sorted(set(keys))
    rows = {(r.site, r.day): r for r in tx.execute(_where(sa.select(_D), _D, keys))}
    known = {(r.site, r.day): r.before for r in tx.execute(_where(sa.select(_CD), _CD, keys))}
    found = {}
    for key in keys:
        row = rows.get(key)
        if row is not None and row.closure is not None:
            found[key] = known[key]
        else:
            found[key] = None if row is None else canonical.text({n: getattr(row, n) for n in _COLUMNS})
    return found


def rewrite(
    work: Work, keys: Mapping[tuple[str, date], str | None], *, but: str | None = None
) -> list[tuple[str, date]]:
    """Write each day as the closures that stand now leave it; answers those that no closure keeps closed any more.

    `keys`: {(site, day): what `before` said}; `but`: a closure that is being undone. The sites are locked.
    """
    standing: dict[tuple[str, date], list[sa.Row]] = {}
    query = (
        sa.select(_CD.c.site, _CD.c.day, _C.c.id, _C.c.number, _C.c.from_time, _C.c.to_time, _C.c.by, _C.c.at)
        .join_from(_CD, _C, _C.c.id == _CD.c.closure)
        .join(_CE, _CE.c.closure == _C.c.id, isouter=True)
        .where(_CE.c.closure.is_(None))
        .order_by(_C.c.number)
    )
    for row in work.tx.execute(_where(query, _CD, list(keys)).where(_C.c.id != (but or ""))):
        standing.setdefault((row.site, row.day), []).append(row)
    gone = _where(sa.delete(_D), _D, list(keys))
    work.tx.execute(gone)
    free = [key for key in keys if key not in standing]
    back = [(key, json.loads(keys[key])) for key in free if keys[key] is not None]
    work.add_many(_D, [{"site": s, "day": d, **_row(values)} for (s, d), values in back])
    own = {key: json.loads(text) if (text := keys[key]) else {} for key in standing}
    # Hours that are written out are those of the day without any closure, cut; the usual ones fill in the rest.
    usual = _usual(work.tx, standing, own)
    rows = []
    for key, closures in sorted(standing.items()):
        left = usual[key]
        for c in closures:
            left = rules.stricter(left, rules.hours_left(usual[key], c.from_time, c.to_time))
        kept = {n: own[key].get(n) for n in ("places", "at_once")}
        hours = {n: getattr(left, n, None) for n in ("opens", "last_dose", "closes")}
        last = closures[-1]
        rows.append(
            {
                "site": key[0],
                "day": key[1],
                "closed": left is None,
                **hours,
                **kept,
                "why": "closure",
                "closure": last.id,
                "by": last.by,
                "at": last.at,
            }
        )
    work.add_many(_D, rows)
    return free


def shut(tx: Connection, days: Iterable[date], *, but: str) -> set[tuple[str, date]]:
    """(site, day) of these days that a standing closure other than `but` names."""
    query = (
        sa.select(_CD.c.site, _CD.c.day)
        .join_from(_CD, _CE, _CE.c.closure == _CD.c.closure, isouter=True)
        .where(_CE.c.closure.is_(None), _CD.c.closure != but, _CD.c.day.in_(set(days)))
    )
    return {tuple(row) for row in tx.execute(query)}


def _usual(tx: Connection, keys: Iterable[tuple[str, date]], own: Mapping) -> dict:
    """A day's hours without closures: the site's own row, else its weekday's, else when its door is open."""
    keys = list(keys)
    codes, days = {s for s, _ in keys}, {d for _, d in keys}
    # The closures' rows were taken out above: what the calendar says now is the usual.
    open_ = calendar.open_days(tx, codes, days, unlisted=True)
    doors = {r.id: r for r in tx.execute(sa.select(sites.site).where(sites.site.c.id.in_(codes)))}
    known = set(tx.execute(sa.select(opening.guest_site.c.site).where(opening.guest_site.c.site.in_(codes))).scalars())
    found = {}
    for code, day in keys:
        mine, seen = own[code, day], open_.get((code, day))
        if mine.get("closed"):
            found[code, day] = None
            continue
        if seen is not None:
            base = rules.Hours(seen.opens, seen.last_dose, seen.closes)
        elif code in known:
            base = None
        else:
            base = rules.Hours(doors[code].opens, doors[code].closes, doors[code].closes)
        if base is not None or mine.get("opens"):
            names = ("opens", "last_dose", "closes")
            base = rules.Hours(*(mine.get(n) or getattr(base, n, None) for n in names))
            base = base if all((base.opens, base.last_dose, base.closes)) else None
        found[code, day] = base
    return found


def _row(values: dict) -> dict:
    return {**values, "at": datetime.fromisoformat(values["at"])}


def _where(query, table: sa.Table, keys: list[tuple[str, date]]):
    """The rows of these sites on these days: `keys` are every one of some sites on every one of some days."""
    codes, days = sorted({s for s, _ in keys}), sorted({d for _, d in keys})
    return query.where(table.c.site.in_(codes), table.c.day.in_(days))
