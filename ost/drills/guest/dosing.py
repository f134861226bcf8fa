"""One day's doses in the drill's country: at home, as a guest, at the wrong place, at two places in one second."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import sqlalchemy as sa

from ost.drills.guest.checks import BINDING
from ost.drills.guest.world import DOSE_UG, Desk, World
from ost.errors import Refusal
from ost.models import dose, guest
from ost.rules import guest as rules
from ost.services.decision import preview
from ost.services.guest.drop import drop_day
from ost.services.outcome import Ending, end
from ost.services.promise import DoseRequest, Identity, promise
from ost.services.work import new_id

UG_PER_UL = 10  # of the one bottle everywhere: 10 mg/mL

_SITE_OF = sa.select(dose.dose_attempt.c.site).where(dose.dose_attempt.c.id == sa.bindparam("id"))


@dataclass
class Seen:
    """Counts of what happened, and everything that must not have."""

    counts: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    refused: Counter = field(default_factory=Counter)

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)


def give(world: World, seen: Seen, person: str, desk: Desk) -> str:
    """A whole dose as the counter gives it: look, promise what was shown, say how it ended. Returns the state."""
    shown = look(world, person, desk)
    if shown is None or shown.dose_ug is None or shown.volume_ul is None:
        seen.refused["not shown"] += 1
        return "refused"
    answer = promise(
        world.house,
        desk.nurse,
        DoseRequest(
            dose_id=new_id(),
            patient_id=person,
            site=desk.code,
            bottle=desk.bottle,
            slot=1,
            seen_dose_ug=shown.dose_ug,
            seen_volume_ul=shown.volume_ul,
            identity=Identity("number_face"),
            intoxication=(),
            coded_reasons=(("gap_short", "site_hours"),),
        ),
    )
    if answer.state != "promised":
        seen.refused.update(r["code"] for r in answer.reasons if r["tier"] == "stop")
        return "refused"
    end(world.house, desk.nurse, Ending(answer.dose_id, "swallowed"))
    return "swallowed"


def look(world: World, person: str, desk: Desk):
    """The card at that desk, or None where the person is nobody's there."""
    try:
        return preview(world.house, desk.nurse, person, desk.code)
    except Refusal as no:
        if no.code != "patient_unknown":
            raise
        return None


def bound_today(world: World) -> dict[str, sa.Row]:
    """patient -> the permit day that binds them today."""
    with world.house.read() as tx:
        rows = tx.execute(BINDING.where(guest.permit_day.c.day == world.clock.today)).all()
    return {row.patient: row for row in rows}


def a_day(world: World, seen: Seen) -> None:
    """Everybody who comes today comes, in random order, a few seconds apart."""
    bound = bound_today(world)
    for person in world.chance.sample(world.people, len(world.people)):
        world.clock.tick(world.chance.randint(1, 9))
        if world.chance.random() < 0.04:
            seen.counts["stayed away"] += 1
            continue
        if person in bound:
            _guest(world, seen, person, bound[person])
        else:
            _at_home(world, seen, person)


def _at_home(world: World, seen: Seen, person: str) -> None:
    if world.chance.random() < 0.01:
        elsewhere = world.desks[world.other_site(person)]
        seen.must(give(world, seen, person, elsewhere) == "refused", f"{person} dosed without a permit")
        seen.counts["stranger sent away"] += 1
    seen.counts[f"home {give(world, seen, person, world.home_desk(person))}"] += 1


def _guest(world: World, seen: Seen, person: str, day: sa.Row) -> None:
    home, there = world.desks[day.home_site], world.desks[day.site]
    dice = world.chance.random()
    if dice < 0.06:
        both_at_once(world, seen, person, home, there)
    elif dice < 0.12:
        _came_home(world, seen, person, day, home)
    else:
        if dice < 0.30:
            only_one_may(world, seen, person, home, there)
        seen.counts[f"guest {give(world, seen, person, there)}"] += 1
        if dice > 0.97:
            seen.must(give(world, seen, person, home) == "refused", f"{person} dosed at home after the guest site")
            seen.counts["second dose refused"] += 1


def _came_home(world: World, seen: Seen, person: str, day: sa.Row, home: Desk) -> None:
    """The person stands at home on a guest day: refused, and dosed once the day was taken back in one step."""
    seen.must(give(world, seen, person, home) == "refused", f"{person} dosed at home on a guest day")
    seen.counts["home refused a guest day"] += 1
    if world.chance.random() < 0.5:
        drop_day(world.house, home.nurse, day.request, world.clock.today)
        seen.counts["day taken back"] += 1
        seen.counts[f"home {give(world, seen, person, home)}"] += 1
        seen.must(give(world, seen, person, world.desks[day.site]) == "refused", f"{person} dosed after take-back")


def only_one_may(world: World, seen: Seen, person: str, home: Desk, there: Desk) -> None:
    """Of home, guest site and a third one at most one would give it now."""
    third = world.desks[world.other_site(person)]
    cards = [look(world, person, desk) for desk in {d.code: d for d in (home, there, third)}.values()]
    givers = [c for c in cards if c is not None and c.verdict == "give"]
    seen.must(len(givers) <= 1, f"{len(givers)} sites would dose {person}")
    seen.counts["looked at three sites"] += 1


def both_at_once(world: World, seen: Seen, person: str, home: Desk, there: Desk) -> None:
    """Home takes the day back and doses, the guest site doses, all let go in one moment: one dose at most."""
    gate = threading.Barrier(2)

    def at(desk: Desk) -> str:
        gate.wait()
        request = DoseRequest(
            dose_id=new_id(),
            patient_id=person,
            site=desk.code,
            bottle=desk.bottle,
            slot=1,
            seen_dose_ug=DOSE_UG,
            seen_volume_ul=DOSE_UG // UG_PER_UL,
            identity=Identity("number_face"),
            intoxication=(),
            coded_reasons=(("gap_short", "site_hours"),),
        )
        if desk is home:
            _try_take_back(world, person, home)
        answer = promise(world.house, desk.nurse, request)
        return answer.dose_id if answer.state == "promised" else ""

    with ThreadPoolExecutor(2) as pool:
        promised = [d for d in pool.map(at, (home, there)) if d]
    seen.must(len(promised) <= 1, f"{person} promised {len(promised)} doses in one second")
    seen.counts["both sites in one second"] += 1
    if promised:
        with world.house.read() as tx:
            where = tx.execute(_SITE_OF, {"id": promised[0]}).scalar_one()
        end(world.house, world.desks[where].nurse, Ending(promised[0], "swallowed"))
        seen.counts["race won at home" if where == home.code else "race won at the guest site"] += 1


def _try_take_back(world: World, person: str, home: Desk) -> None:
    day = bound_today(world).get(person)
    if day is None or day.state not in rules.IN_FORCE:
        return
    try:
        drop_day(world.house, home.nurse, day.request, world.clock.today)
    except Refusal as no:
        if no.code not in ("guest_day_used", "guest_changed_since_shown", "guest_step_not_possible"):
            raise

