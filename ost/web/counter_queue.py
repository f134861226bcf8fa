"""The queue of the counter's page, in groups, from what `ost.services.queue` says. Decides nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from statistics import median

from ost.services import counter_page
from ost.services import queue as queues
from ost.web import counter_view as cv
from ost.wording import site_name

SHOWN_ROWS = 60  # of a group; further people are found by their number
STATES = {queues.UNKNOWN: "not_known"}
GROUPS = ("here", "expected", "done", "away", "missed", "held", "not_known")


def digest(value) -> str:
    """Of what is shown: the page asks whether it has changed."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:10]


def view(pulse: counter_page.Pulse, seen: queues.Queue, alike: dict[str, str]) -> cv.QueueView:
    rows: dict[str, list[cv.QueueRow]] = {name: [] for name in GROUPS}
    for row in seen.rows:
        name = STATES.get(row.state, row.state)
        if row.dose_id and row.dose_id == pulse.dose:
            name = "here"  # being given right now, at this counter
        rows[name].append(
            cv.QueueRow(
                patient_id=row.due.patient,
                number=row.due.number,
                state=name,
                at=row.given_at if name == "done" else None,
                dose_ug=row.due.dose_ug,
                marks=marks(row.due.priority, row.due.home_site != pulse.site, row.due.patient in alike),
                current=row.due.patient == pulse.patient,
                place=_place(row, pulse.site),
            )
        )
    rows["done"].sort(key=lambda r: r.at or pulse.now, reverse=True)
    groups = tuple(
        cv.QueueGroup(name, len(rows[name]), tuple(rows[name][:SHOWN_ROWS]))
        for name in GROUPS
        if rows[name] or name in ("here", "expected", "done", "held")
    )
    seconds = sorted(seen.seconds)
    shown = cv.QueueView(
        version="",
        total=len(seen.rows),
        groups=groups,
        seconds_median=int(median(seconds)) if seconds else None,
        seconds_p95=seconds[min(len(seconds) - 1, len(seconds) * 95 // 100)] if seconds else None,
        # The one in hand at this counter is not forgotten, it is being given.
        open_doses=sum(1 for d in seen.open_doses if d.dose_id != pulse.dose),
    )
    return replace(shown, version=digest(shown))


def _place(row: queues.Row, here: str) -> str:
    """Where else: today's dose was given there, or is to be."""
    there = row.served_at or (row.due.guest.site if row.due.away else "")
    return site_name(there) if there and there != here else ""


def marks(priority: tuple[str, ...], guest: bool, alike: bool) -> tuple[str, ...]:
    return (*priority, *(("guest",) if guest else ()), *(("lookalike",) if alike else ()))
