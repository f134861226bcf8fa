"""One patient's treatment as it goes: orders, doses taken, holds; and the facts of a dose from them.

The facts are those that `ost.services.gather` reads from the rows written here;
a test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from ost import canonical
from ost.demo.ledger import Bottle
from ost.demo.plan import Plan
from ost.rules.facts import DoseFacts, HoldFacts, Observed, OrderFacts, PastDose, SignOff, SlotState
from ost.rules.orders import PastOrder, lineage
from ost.services.gather import WINDOW_DAYS
from ost.services.work import new_id

EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
ELSEWHERE = "earlier register"


@dataclass(slots=True)
class Treated:
    id: str
    home: str
    number: str
    plan: Plan
    starts_on: date
    order: OrderFacts | None = None
    #: The order's own row, for the fields the facts do not carry.
    row: dict | None = None
    past_orders: list[PastOrder] = field(default_factory=list)
    past: list[PastDose] = field(default_factory=list)  # newest first
    last_swallow_on: date | None = None
    elsewhere_on: date | None = None
    holds: list[HoldFacts] = field(default_factory=list)
    episode_started_on: date | None = None
    signed: list[SignOff] = field(default_factory=list)
    came_last: bool = True
    _texts: list[str] = field(default_factory=list)  # of `past`, one by one
    changed_on: date | None = None  # when the dose last changed, either way

    def facts(
        self,
        day: date,
        site: str,
        medicines: tuple[str, ...],
        bottle: Bottle | None,
        others: tuple[int, ...],
        signs: tuple[str, ...] | None,
    ) -> DoseFacts:
        """What a decision sees on `day` at `site`."""
        since = day - timedelta(days=WINDOW_DAYS)
        while self.past and self.past[-1].day < since:
            self.past.pop()
            self._texts.pop()
        last = max((d for d in (self.last_swallow_on, self.elsewhere_on) if d), default=None)
        return DoseFacts(
            patient_id=self.id,
            patient_active=True,
            home_site=self.home,
            site=site,
            site_active=True,
            site_medicines=medicines,
            day=day,
            slot=1,
            order=self.order,
            slot_state=SlotState(None),
            past=tuple(self.past),
            last_swallow_on=last,
            holds=tuple(self.holds),
            bottle=bottle.facts() if bottle else None,
            observed=Observed(signs),
            signoffs=tuple(s for s in self.signed if s.day == day),
            other_open_strengths=others,
            low_tolerance=self.plan.low_tolerance,
        )

    def text(self, facts: DoseFacts) -> str:
        """The canonical text of `facts`; its longest part, the past, is the same every day and kept."""
        if facts.past != tuple(self.past):
            raise ValueError("the past has moved on since these facts")
        around = canonical.text(replace(facts, past=()))
        return around.replace('"past":[]', f'"past":[{",".join(self._texts)}]', 1)

    def took(self, dose: PastDose) -> None:
        """Keep a dose whose ending is known (or not known) for the decisions after it."""
        self.past.insert(0, dose)
        self._texts.insert(0, canonical.text(dose))
        if (
            dose.vomited_minutes is None
            and dose.swallowed_ug is not None
            and dose.swallowed_ug * 2 >= dose.ordered_ug
        ):
            self.last_swallow_on = max(filter(None, (self.last_swallow_on, dose.day)))

    # --- orders ------------------------------------------------------------------
    def write(
        self, dose_ug: int, phase: str, day: date, at: datetime, prescriber: str, *, first: bool = False
    ) -> tuple[dict, dict | None]:
        """A new order from `day` on: (its row, the end of the one before, None for the first)."""
        ended = self._end(day, at, prescriber)
        came_from = first and phase != "induction"
        line = lineage(
            dose_ug,
            day,
            self.past_orders,
            new_induction=phase == "induction",
            last_swallow_on=max((d for d in (self.last_swallow_on, self.elsewhere_on) if d), default=None),
            episode_gap_days=14,
        )
        if came_from:
            self.elsewhere_on = day - timedelta(days=1)
        started = line.episode_started_on
        if first:
            started = self.episode_started_on or day
        self.episode_started_on = started
        row = {
            "id": new_id(),
            "patient": self.id,
            "medicine": "methadone",
            "product": None,
            "phase": phase,
            "slot": 1,
            "dose_ug": dose_ug,
            "starts_on": day,
            "ends_on": None,
            "days": canonical.text(list(EVERY_DAY)),
            "sites": canonical.text(list(self.plan.sites)),
            "shortest_gap_h": None,
            "replaces": self.row["id"] if self.row else None,
            "previous_dose_ug": dose_ug if came_from else line.previous_dose_ug,
            "last_increase_on": line.last_increase_on,
            "increase_before_on": line.increase_before_on,
            "week_ago_dose_ug": line.week_ago_dose_ug,
            "episode_started_on": started,
            "previous_days": canonical.text(list(line.previous_days)) if line.previous_days else None,
            "elsewhere_on": self.elsewhere_on,
            "elsewhere_dose_ug": dose_ug if came_from else self.row and self.row["elsewhere_dose_ug"],
            "elsewhere_source": ELSEWHERE if self.elsewhere_on else None,
            "reason": None,
            "prescriber": prescriber,
            "site": self.home,
            "written_at": at,
        }
        self.row = row
        self.order = OrderFacts(
            id=row["id"],
            medicine="methadone",
            phase=phase,
            dose_ug=dose_ug,
            slot=1,
            starts_on=day,
            ends_on=None,
            stopped_at=None,
            sites=self.plan.sites,
            days=EVERY_DAY,
            shortest_gap_h=None,
            episode_started_on=started,
            previous_dose_ug=row["previous_dose_ug"],
            last_increase_on=row["last_increase_on"],
            week_ago_dose_ug=row["week_ago_dose_ug"],
            increase_before_on=row["increase_before_on"],
            previous_days=line.previous_days,
        )
        self.changed_on = day
        return row, ended

    def _end(self, day: date, at: datetime, by: str) -> dict | None:
        if self.row is None:
            return None
        old = self.row
        self.past_orders.append(
            PastOrder(
                id=old["id"],
                medicine="methadone",
                dose_ug=old["dose_ug"],
                starts_on=old["starts_on"],
                ends_on=None,
                ended_on=day,
                days=EVERY_DAY,
                previous_dose_ug=old["previous_dose_ug"],
                last_increase_on=old["last_increase_on"],
                episode_started_on=old["episode_started_on"],
            )
        )
        return {
            "prescription": old["id"],
            "patient": self.id,
            "why": "changed",
            "reason": None,
            "by": by,
            "at": at,
        }
