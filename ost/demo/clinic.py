"""One site's morning: people come, the rules decide, rows are collected for the day's one transaction.

The decision is `ost.rules.dosing.decide` on real facts; a dose is only ever
given where it says Give, and where it refuses the refusal is kept and people do
what people do: the prescriber signs off, orders a new induction, lifts a hold,
or the person comes back another day.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ost import canonical
from ost.demo import plan as plans
from ost.demo.dispensing import Dispensing, RulesDisagree
from ost.demo.ledger import Ledger
from ost.demo.network import TZ
from ost.demo.treated import Treated
from ost.models import dose as doses
from ost.models import prescription as orders
from ost.models import station, stock
from ost.rules import facts as f
from ost.rules.amounts import volume_ul
from ost.rules.dosing import decide
from ost.rules.facts import Give, HoldFacts, Refuse, SignOff
from ost.services import rows
from ost.services.work import new_id

OPENS, LAST = time(6, 30), time(9, 30)
#: Codes a prescriber answers at once; the dose the rule proposes stands.
SIGNABLE = frozenset(
    {"missed_days_half_dose", "missed_days_see_prescriber", "missed_days_early", "missed_days_prescriber"}
)
MEDICINES = ("methadone",)
#: Order in which a day's rows are written: each table only names rows before it.
TABLES = (
    orders.prescription,
    orders.prescription_end,
    orders.signoff,
    orders.hold,
    orders.hold_release,
    doses.decision,
    stock.register_line,
    doses.dose_attempt,
    station.identity_evidence,
    doses.dose_outcome,
    doses.dose_observation,
    doses.dose_release,
    doses.refusal,
)


def _instant(day: date, at: time) -> datetime:
    return datetime.combine(day, at, ZoneInfo(TZ)).astimezone(UTC)


@dataclass
class Clinic(Dispensing):
    """A site through the days."""

    def morning(self, day: date, today: date) -> None:
        """Everything that happens here on `day`. `rows` then holds it."""
        self.rows = defaultdict(list)
        self._at = _instant(day, OPENS) + timedelta(seconds=self.rng.randrange(20, 240))
        for ledger in self.ledgers:
            ledger.bottle_for(1, day, self._at, self._nurse())
        before = (today - day).days
        coming = [p for p in self.people if p.starts_on <= day and self._comes(p, day, before)]
        self.rng.shuffle(coming)
        # Everybody is through by half past nine, however many they are.
        room = (_instant(day, LAST) - self._at).total_seconds() - 300
        pace = min(150.0, room / max(1, len(coming)) * 0.8)
        for person in coming:
            self._visit(person, day, before)
            self._at += timedelta(seconds=self.rng.uniform(0.2, 1.0) * pace)
        close = max(self._at, _instant(day, LAST)) + timedelta(minutes=10)
        for ledger in self.ledgers:
            ledger.close_of_day(day, close, self.staff.nurses[0])
            if day.day == 28:
                ledger.destroy(f"C{day:%y%m}-{self.site}", day, close, self.staff.nurses[0])
            self.rows[stock.register_line.name] += ledger.lines
            ledger.lines = []
        self._at = close

    @property
    def closed_at(self) -> datetime:
        return self._at

    # --- one person ------------------------------------------------------------------
    def _comes(self, person: Treated, day: date, before: int) -> bool:
        first = day == person.starts_on and person.plan.phase == f.INDUCTION
        comes = first or person.plan.comes(self.rng, before, person.came_last)
        person.came_last = comes
        return comes

    def _visit(self, person: Treated, day: date, before: int) -> None:
        story = person.plan.story
        if person.order is None:
            self._first_order(person, day)
        elif story is None:
            self._titrate(person, day)
        signs: tuple[str, ...] = ()
        if story is None and self.rng.random() < 0.003:
            signs = (self.rng.choice(("drowsy", "alcohol", "gait")),)
        verdict = self._decide(person, day, signs)
        if isinstance(verdict, Refuse):
            self._refused(person, day, verdict)
            if signs:
                if self.rng.random() < 0.5:
                    self._hold(person, day, "clinical", "intoxication", come_back=day + timedelta(days=1))
                return
            verdict = self._answered(person, day, verdict)
            if verdict is None:
                return
        self._dose(person, day, before, verdict)
        if before == 1 and story in (plans.HELD_CLINICAL, plans.HELD_PAPERS, plans.FEE):
            self._story_hold(person, day, story)

    def _decide(self, person: Treated, day: date, signs: tuple[str, ...] = ()):
        ledger = self._ledger(person)
        bottle = ledger.bottle_for(
            volume_ul(person.order.dose_ug, ledger.strength), day, self._at, self._nurse()
        )
        others = {x.strength for x in self.ledgers if x is not ledger and x.current is not None} - {
            bottle.strength
        }
        self._facts = person.facts(day, self.site, MEDICINES, bottle, tuple(sorted(others)), signs)
        self._bottle, self._from = bottle, ledger
        verdict = decide(self._facts, self.policy, self._at)
        self._decision = rows.decision_row(
            id=new_id(),
            facts=self._facts,
            text=person.text(self._facts),
            policy=self.policy.digest,
            verdict=verdict.verdict,
            reasons=[canonical.plain(r) for r in verdict.reasons],
            by=self._nurse(),
            at=self._at,
        )
        self._add(doses.decision, self._decision)
        return verdict

    def _ledger(self, person: Treated) -> Ledger:
        """Small doses come from the weaker liquid where a site has both."""
        weaker = [x for x in self.ledgers if x.strength < self.ledgers[0].strength]
        return weaker[0] if weaker and person.order.dose_ug <= 20_000 else self.ledgers[0]

    # --- orders ---------------------------------------------------------------------
    def _first_order(self, person: Treated, day: date) -> None:
        plan = person.plan
        at = self._at - timedelta(minutes=8)
        row, _ = person.write(plan.first_dose_ug, plan.phase, day, at, self.staff.prescriber, first=True)
        self._add(orders.prescription, row)
        if plan.phase == f.INDUCTION and plan.first_dose_ug > 20_000:
            self._sign(person, day, "first_dose_above_usual", plan.first_dose_ug)

    def _change(self, person: Treated, day: date, dose_ug: int, phase: str) -> None:
        at = self._at - timedelta(seconds=self.rng.randrange(60, 300))
        row, ended = person.write(dose_ug, phase, day, at, self.staff.prescriber)
        self._add(orders.prescription, row)
        self._add(orders.prescription_end, ended)

    def _titrate(self, person: Treated, day: date) -> None:
        """What the prescriber changes today, for somebody who came yesterday and is not on hold."""
        plan, order = person.plan, person.order
        waited = (day - person.changed_on).days
        if person.last_swallow_on != day - timedelta(days=1) or person.holds or waited < plan.step_days:
            return
        if order.phase == f.INDUCTION:
            step = self.rng.choice((5_000, 10_000))
            if order.dose_ug < plan.target_ug:
                self._change(person, day, min(order.dose_ug + step, plan.target_ug), f.INDUCTION)
            elif waited >= 7:
                self._change(person, day, order.dose_ug, f.MAINTENANCE)
        elif order.phase == f.TAPER and order.dose_ug > 10_000:
            self._change(person, day, order.dose_ug - 5_000, f.TAPER)
        elif order.phase == f.MAINTENANCE and waited >= 14 and self.rng.random() < 0.02:
            step = self.rng.choice((-5_000, -5_000, 5_000, 5_000, 10_000))
            if 20_000 <= order.dose_ug + step <= 140_000:
                self._change(person, day, order.dose_ug + step, f.MAINTENANCE)

    def _sign(self, person: Treated, day: date, code: str, dose_ug: int | None) -> None:
        row = {
            "id": new_id(),
            "patient": person.id,
            "code": code,
            "day": day,
            "dose_ug": dose_ug,
            "note": None,
            "by": self.staff.prescriber,
            "by_role": "prescriber",
            "at": self._at,
        }
        self._add(orders.signoff, row)
        person.signed.append(SignOff(row["id"], code, day, dose_ug, "prescriber"))

    # --- holds ----------------------------------------------------------------------
    def _hold(
        self, person: Treated, day: date, kind: str, reason: str, come_back: date | None, blocks=True
    ) -> None:
        row = {
            "id": new_id(),
            "patient": person.id,
            "site": self.site,
            "kind": kind,
            "reason_code": reason,
            "blocks": blocks,
            "since": day,
            "come_back_on": come_back,
            "call": self.phone,
            "by": self._nurse(),
            "at": self._at,
        }
        self._add(orders.hold, row)
        person.holds.append(HoldFacts(row["id"], kind, reason, day, come_back, self.phone, blocks))

    def _lift(self, person: Treated) -> None:
        for hold in person.holds:
            row = {
                "hold": hold.id,
                "patient": person.id,
                "by": self.staff.prescriber,
                "reason": None,
                "at": self._at,
            }
            self._add(orders.hold_release, row)
        person.holds.clear()

    def _story_hold(self, person: Treated, day: date, story: str) -> None:
        self._at += timedelta(seconds=40)
        tomorrow = day + timedelta(days=1)
        if story == plans.HELD_CLINICAL:
            self._hold(person, day, "clinical", "medical_review", tomorrow + timedelta(days=1))
        elif story == plans.HELD_PAPERS:
            self._hold(person, day, "administrative", "identity_documents", tomorrow + timedelta(days=2))
        else:
            self._hold(person, day, "administrative", "fee_unpaid", None, blocks=False)

    # --- refused ----------------------------------------------------------------------
    def _refused(self, person: Treated, day: date, verdict: Refuse) -> None:
        shown = [canonical.plain(r) for r in verdict.reasons]
        asked = self._request(person, verdict.dose_ug or 0, verdict.volume_ul or 0)
        self._add(
            doses.refusal,
            {
                "id": asked.dose_id,
                "patient": person.id,
                "site": self.site,
                "day": day,
                "slot": 1,
                "content_digest": asked.content_digest(),
                "decision": self._decision["id"],
                "same_as": None,
                "reasons": canonical.text(shown),
                "reasons_digest": canonical.digest([[r["code"], r["data"]] for r in shown]),
                "by": self._nurse(),
                "at": self._at,
            },
        )
        self.refused += 1

    def _answered(self, person: Treated, day: date, verdict: Refuse) -> Give | None:
        """What people do about a refusal, and what the rules say then; None: no dose today."""
        codes = {r.code for r in verdict.reasons if r.tier == "stop"}
        self._at += timedelta(seconds=self.rng.randrange(120, 400))
        if "on_hold" in codes:
            if any(h.come_back_on and h.come_back_on > day for h in person.holds):
                return None
            self._lift(person)
        if "new_induction_needed" in codes:
            low = 15_000 if person.plan.low_tolerance else 20_000
            self._change(person, day, min(low, person.order.dose_ug), f.INDUCTION)
        elif codes & SIGNABLE:
            for code in sorted(codes & SIGNABLE):
                self._sign(person, day, code, None)
        again = self._decide(person, day)
        if isinstance(again, Refuse):
            stops = {r.code for r in again.reasons if r.tier == "stop"}
            if stops & (SIGNABLE | {"new_induction_needed"}) and "on_hold" in codes:
                return self._after(person, day, again)
            raise RulesDisagree(f"{self.site} {day}: {sorted(stops)} after {sorted(codes)}")
        return again

    def _after(self, person: Treated, day: date, verdict: Refuse) -> Give | None:
        """A hold lifted, and the days it cost are answered in their turn."""
        self._refused(person, day, verdict)
        return self._answered(person, day, verdict)
