"""A dose of the history from promise to outcome: register lines and rows, as the services write them.

Knows nothing of why somebody came or of what the prescriber does; that is `ost.demo.clinic`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from ost.demo import plan as plans
from ost.demo.ledger import Bottle, Ledger
from ost.demo.treated import Treated
from ost.models import dose as doses
from ost.models import station
from ost.rules import facts as f
from ost.rules.facts import DoseFacts, Give, PastDose
from ost.rules.policy import Policy
from ost.services import register, rows
from ost.services.outcome import Ending
from ost.services.promise import DoseRequest, Identity
from ost.services.work import new_id


class RulesDisagree(Exception):
    """A dose of the history was not given by the rules: the history is wrong, nothing is kept."""


@dataclass(slots=True)
class Staff:
    """Accounts that act at one site."""

    nurses: tuple[str, ...]
    prescriber: str
    pharmacist: str
    case_manager: str


@dataclass
class Dispensing:
    """A site's counter. `rows`: by table, of the day at hand; `_at`: its clock; `_turn`: doses so far."""

    site: str
    phone: str
    counters: int
    staff: Staff
    policy: Policy
    rng: Random
    ledgers: list[Ledger]  # the one doses come from first
    people: list[Treated]
    rows: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    given: int = 0
    refused: int = 0
    _at: datetime | None = None
    _turn: int = 0
    # What the decision at hand looked at.
    _facts: DoseFacts | None = None
    _decision: dict | None = None
    _bottle: Bottle | None = None
    _from: Ledger | None = None

    def _nurse(self) -> str:
        return self.staff.nurses[self._turn % len(self.staff.nurses)]

    def _add(self, table, row: dict) -> dict:
        self.rows[table.name].append(row)
        return row

    def _request(self, person: Treated, dose_ug: int, volume: int) -> DoseRequest:
        return DoseRequest(
            dose_id=new_id(),
            patient_id=person.id,
            site=self.site,
            bottle=self._bottle.id,
            slot=1,
            seen_dose_ug=dose_ug,
            seen_volume_ul=volume,
            identity=self._identity(),
            intoxication=self._facts.observed.intoxication,
            counter=f"{self.site}-{self._turn % self.counters + 1}",
        )

    def _identity(self) -> Identity:
        if self.rng.random() < 0.8:
            return Identity("card")
        return Identity("number_face", reason="not_enrolled")

    def _dose(self, person: Treated, day: date, before: int, verdict: Give) -> None:
        if not isinstance(verdict, Give):
            raise RulesDisagree(f"{self.site} {day}: a dose without Give")
        asked = self._request(person, verdict.dose_ug, verdict.volume_ul)
        line = self._from.append(
            self._bottle,
            register.DISPENSED,
            -verdict.volume_ul,
            day,
            self._at,
            self._nurse(),
            dose=asked.dose_id,
        )
        attempt = rows.attempt_row(
            dose_id=asked.dose_id,
            facts=self._facts,
            decision=self._decision,
            dose_ug=verdict.dose_ug,
            volume_ul=verdict.volume_ul,
            bottle=self._bottle.id,
            product=self._bottle.product,
            line=line,
            content_digest=asked.content_digest(),
            identity_path=asked.identity.path,
            identity_reason=asked.identity.reason,
            intoxication=asked.intoxication,
            counter=asked.counter,
            at=self._at,
            by=self._nurse(),
        )
        self._add(doses.dose_attempt, attempt)
        self.given += 1
        if person.plan.story == plans.NO_OUTCOME and before == 1:
            person.took(self._past(attempt, None, None, None, None))
        else:
            self._end(person, day, before, asked, attempt)
        self._turn += 1

    def _end(self, person: Treated, day: date, before: int, asked: DoseRequest, attempt: dict) -> None:
        at = self._at + timedelta(seconds=self.rng.randrange(9, 32))
        said, rest_ul, swallowed = self._ending(person, before, attempt)
        evidence = None
        if said.outcome in (f.SWALLOWED, f.PARTLY, f.SPAT_OUT):
            evidence = self._hand_over(person, asked, at - timedelta(seconds=5))
        if rest_ul:
            self._from.put_back(
                attempt["id"], self._bottle, rest_ul, said.disposition, day, at, self._nurse()
            )
        outcome = rows.outcome_row(
            attempt=attempt["id"],
            patient=person.id,
            outcome=said.outcome,
            swallowed_ug=swallowed,
            disposition=said.disposition,
            rest_ul=rest_ul,
            content_digest=said.content_digest(),
            evidence=evidence,
            identity_path=said.identity.path,
            reason=said.reason,
            flags=("signature_missing",) if said.outcome == f.SWALLOWED else (),
            given_at=at,
            entered_at=at,
            by=self._nurse(),
        )
        self._add(doses.dose_outcome, outcome)
        if said.outcome == f.NOT_GIVEN:
            self._release(person, day, attempt, at)
            return
        vomited = None
        story = person.plan.story == plans.VOMITED and before == 1
        if story or (
            said.outcome == f.SWALLOWED and person.plan.story is None and self.rng.random() < 0.0015
        ):
            vomited = 25 if story else self.rng.randrange(5, 50)
            self._vomited(person, attempt, vomited, at)
        person.took(self._past(attempt, said.outcome, swallowed, at, vomited))

    def _ending(self, person: Treated, before: int, attempt: dict) -> tuple[Ending, int, int | None]:
        """(what is said, what was left over, what was swallowed), as `outcome.amounts` reckons."""
        drawn = 1.0 if person.plan.story else self.rng.random()
        dose_ug, volume = attempt["dose_ug"], attempt["volume_ul"]
        identity = Identity(attempt["identity_path"], reason=attempt["identity_reason"])
        partly = person.plan.story == plans.PARTLY and before == 1
        if partly or drawn < 0.002:
            half = dose_ug * 3 // 4
            said = Ending(attempt["id"], f.PARTLY, half, register.TO_JAR, identity, reason="did_not_want_all")
            return said, volume - volume * half // dose_ug, half
        if drawn < 0.003:
            said = Ending(attempt["id"], f.SPAT_OUT, None, register.TO_JAR, identity)
            return said, volume, None
        if drawn < 0.005:
            said = Ending(attempt["id"], f.NOT_GIVEN, None, register.BACK, identity, reason="left_before")
            return said, volume, 0
        return Ending(attempt["id"], f.SWALLOWED, identity=identity), 0, dose_ug

    def _hand_over(self, person: Treated, asked: DoseRequest, at: datetime) -> str:
        row = {
            "id": new_id(),
            "patient": person.id,
            "site": self.site,
            "purpose": "hand_over",
            "path": asked.identity.path,
            "capture": None,
            "dose": asked.dose_id,
            "station": None,
            "account": self._nurse(),
            "reason": asked.identity.reason,
            "at": at,
        }
        return self._add(station.identity_evidence, row)["id"]

    def _release(self, person: Treated, day: date, attempt: dict, at: datetime) -> None:
        row = {
            "attempt": attempt["id"],
            "patient": person.id,
            "dosing_day": day,
            "slot": 1,
            "why": "not_given",
            "dose_ug": None,
            "by": self._nurse(),
            "second": None,
            "reason": "left_before",
            "at": at,
        }
        self._add(doses.dose_release, row)

    def _vomited(self, person: Treated, attempt: dict, minutes: int, at: datetime) -> None:
        row = {
            "id": new_id(),
            "attempt": attempt["id"],
            "patient": person.id,
            "kind": "vomited",
            "minutes_after": minutes,
            "note": None,
            "by": self._nurse(),
            "observed_at": at + timedelta(minutes=minutes),
            "at": at + timedelta(minutes=minutes),
        }
        self._add(doses.dose_observation, row)

    def _past(self, attempt: dict, outcome, swallowed, given_at, vomited) -> PastDose:
        return PastDose(
            id=attempt["id"],
            day=attempt["dosing_day"],
            slot=1,
            site=attempt["site"],
            medicine=attempt["medicine"],
            ordered_ug=attempt["ordered_ug"],
            promised_ug=attempt["dose_ug"],
            promised_at=attempt["promised_at"],
            outcome=outcome,
            swallowed_ug=swallowed,
            given_at=given_at,
            vomited_minutes=vomited,
        )
