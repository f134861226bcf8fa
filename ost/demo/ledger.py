"""The register of one site, built line by line in memory: the same arithmetic as `ost.services.register`.

Balances cannot fall below zero, every line names the one before it, and what
is left over goes to the residue jar by two lines. Rows are handed to whoever
writes them; nothing here touches a database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from ost.rules.facts import BottleFacts
from ost.services import register

VOLUME_UL = 1_000_000
#: A bottle that holds less than this at the end of a day is closed, and the rest counted as residue.
NEARLY_EMPTY_UL = 40_000


@dataclass(slots=True)
class Bottle:
    id: str
    site: str
    product: str
    strength: int
    lot: str
    expires_on: date
    kind: str = register.STOCK
    state: str = register.SEALED
    opened_at: datetime | None = None
    line: int = 0
    balance_ul: int = 0

    def facts(self) -> BottleFacts:
        return BottleFacts(
            id=self.id,
            site=self.site,
            product=self.product,
            medicine="methadone",
            unit="ul",
            strength_ug_per_ml=self.strength,
            state=self.state if self.kind == register.STOCK else "residue",
            balance_ul=self.balance_ul,
            expires_on=self.expires_on,
            lot=self.lot,
        )


@dataclass(slots=True)
class Ledger:
    """Bottles of one product at one site. `lines`: rows not written yet, in order."""

    site: str
    prefix: str
    product: str
    strength: int
    rng: Random
    keeper: str  # account of the pharmacist
    numbers: list[int]  # shared by the site's ledgers: how many bottles it had so far
    lines: list[dict] = field(default_factory=list)
    bottles: list[Bottle] = field(default_factory=list)
    jar: Bottle | None = None
    current: Bottle | None = None

    def append(
        self,
        bottle: Bottle,
        kind: str,
        change_ul: int,
        day: date,
        at: datetime,
        by: str,
        *,
        dose: str | None = None,
        reference: str | None = None,
        reason: str | None = None,
        counted_ul: int | None = None,
        second: str | None = None,
    ) -> int:
        """The number of the new line."""
        balance = bottle.balance_ul + change_ul
        if balance < 0:
            raise ValueError("a register cannot fall below zero")
        first = bottle.line == 0
        self.lines.append(
            {
                "bottle": bottle.id,
                "line": bottle.line + 1,
                "previous_line": None if first else bottle.line,
                "previous_balance_ul": None if first else bottle.balance_ul,
                "change_ul": change_ul,
                "balance_ul": balance,
                "kind": kind,
                "dose": dose,
                "reference": reference,
                "reason": reason,
                "counted_ul": counted_ul,
                "site": self.site,
                "day": day,
                "by": by,
                "second": second,
                "at": at,
            }
        )
        bottle.line, bottle.balance_ul = bottle.line + 1, balance
        return bottle.line

    def receive(self, count: int, day: date, at: datetime) -> None:
        """A delivery of `count` sealed bottles of one lot."""
        lot = f"{self.rng.choice('ABCDEFGH')}{day:%y%m}{self.rng.randrange(100):02d}"
        delivery = f"D{day:%y%m%d}-{self.rng.randrange(1000):03d}"
        for _ in range(count):
            self.numbers[0] += 1
            bottle = Bottle(
                id=f"M{self.prefix}-{self.numbers[0]:05d}",
                site=self.site,
                product=self.product,
                strength=self.strength,
                lot=lot,
                expires_on=day + timedelta(days=500 + self.rng.randrange(200)),
            )
            self.bottles.append(bottle)
            self.append(bottle, register.RECEIVED, VOLUME_UL, day, at, self.keeper, reference=delivery)

    def bottle_for(self, volume_ul: int, day: date, at: datetime, by: str) -> Bottle:
        """The open bottle, holding at least `volume_ul`; an empty one is closed and the next opened."""
        if self.current is not None and self.current.balance_ul < volume_ul:
            self.close(day, at, by)
        if self.current is None:
            sealed = next((b for b in self.bottles if b.state == register.SEALED), None)
            if sealed is None:
                self.receive(3, day, at)
                sealed = next(b for b in self.bottles if b.state == register.SEALED)
            sealed.state, sealed.opened_at = register.OPEN, at
            self.current = sealed
        return self.current

    def close(self, day: date, at: datetime, by: str) -> None:
        """Take the open bottle out of use; what is left goes to the jar."""
        bottle, self.current = self.current, None
        rest = bottle.balance_ul
        if rest:
            line = self.append(bottle, register.TO_RESIDUE, -rest, day, at, by, reason="empty")
            self._into_jar(rest, f"{bottle.id}/{line}", day, at, by, reason="empty")
        self.append(bottle, register.CLOSED, 0, day, at, by, reason="empty")
        bottle.state = register.SHUT

    def put_back(
        self, dose: str, bottle: Bottle, rest_ul: int, disposition: str, day: date, at: datetime, by: str
    ):
        """What nobody swallowed of a poured dose, as `register.put_back` writes it."""
        self.append(bottle, register.RETURNED, rest_ul, day, at, by, dose=dose)
        if disposition == register.SPILT:
            self.append(bottle, register.SPILLED, -rest_ul, day, at, by, dose=dose)
        elif disposition == register.TO_JAR:
            line = self.append(bottle, register.TO_RESIDUE, -rest_ul, day, at, by, dose=dose)
            self._into_jar(rest_ul, f"{bottle.id}/{line}", day, at, by, dose=dose)

    def close_of_day(self, day: date, at: datetime, by: str) -> None:
        """Count the open bottle; close it when it is nearly empty."""
        if self.current is None:
            return
        bottle = self.current
        # Drops that stay in the pump: small, and never a surplus.
        off = -self.rng.randrange(100, 900) if self.rng.random() < 0.15 and bottle.balance_ul > 1000 else 0
        self.append(
            bottle,
            register.COUNTED,
            off,
            day,
            at,
            by,
            counted_ul=bottle.balance_ul + off,
            reason="measuring" if off else None,
        )
        if bottle.balance_ul < NEARLY_EMPTY_UL:
            self.close(day, at, by)

    def destroy(self, certificate: str, day: date, at: datetime, second: str) -> None:
        """Residue destroyed by the controlled-drug manager and a second person."""
        if self.jar is not None and self.jar.balance_ul:
            self.append(
                self.jar,
                register.DESTROYED,
                -self.jar.balance_ul,
                day,
                at,
                self.keeper,
                reference=certificate,
                reason="denatured",
                second=second,
            )

    def _into_jar(self, volume_ul: int, origin: str, day: date, at: datetime, by: str, **said) -> None:
        if self.jar is None:
            self.jar = Bottle(
                id=register.jar_id(self.site, self.product),
                site=self.site,
                product=self.product,
                strength=self.strength,
                lot="-",
                expires_on=date(9999, 12, 31),
                kind=register.RESIDUE,
                state=register.OPEN,
                opened_at=at,
            )
        self.append(self.jar, register.RESIDUE_IN, volume_ul, day, at, by, reference=origin, **said)
