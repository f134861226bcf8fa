"""What each invented patient's treatment looks like: phase, dose, how often they come, and a few stories.

Only intentions; what really happens is decided day by day by the rules
(`ost.demo.clinic`). Amounts in micrograms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from ost.rules.facts import INDUCTION, MAINTENANCE, TAPER

#: Adherence over 90 days, Taiwan, n = 961: 28.5 / 40.2 / 31.3 % of people take > 90, 51-90, <= 50 % (DOMAIN.md
#: section 6). As chances of staying away one day, and of coming back the next.
BANDS = ((0.285, 0.012, 0.80), (0.402, 0.085, 0.33), (0.313, 0.13, 0.13))

# Stories of single people, told in the last days before today.
MISSED_3, MISSED_5, HELD_CLINICAL, HELD_PAPERS, FEE, NO_OUTCOME, TWO_SITES, VOMITED, PARTLY, STEADY = (
    STORIES
) = (
    "missed_3",
    "missed_5",
    "held_clinical",
    "held_papers",
    "fee",
    "no_outcome",
    "two_sites",
    "vomited",
    "partly",
    "steady",
)
#: The main site's stories, and how many ordinary people who surely came yesterday.
AT_MAIN = (STEADY,) * 6 + (
    TWO_SITES,
    VOMITED,
    MISSED_3,
    HELD_CLINICAL,
    STEADY,
    NO_OUTCOME,
    MISSED_5,
    HELD_PAPERS,
    FEE,
    PARTLY,
)
#: What a newcomer meets when one of these touches the reader.
TOLD = {
    STEADY: "an ordinary dose",
    TWO_SITES: "may be dosed at a second site too",
    VOMITED: "vomited yesterday",
    MISSED_3: "three missed days: half, with the prescriber",
    HELD_CLINICAL: "on hold for a medical review",
    NO_OUTCOME: "yesterday's dose has no outcome yet",
    MISSED_5: "five missed days: a new induction",
    HELD_PAPERS: "on hold for identity papers",
    FEE: "an unpaid fee, which never holds a dose",
    PARTLY: "left a part of yesterday's dose",
}
ELSEWHERE = (STEADY, STEADY, MISSED_3, HELD_CLINICAL)


@dataclass(frozen=True, slots=True)
class Plan:
    """`leave`, `come_back`: chances a day. `away`: days before today on which they surely do not, or do, come."""

    story: str | None
    phase: str
    first_dose_ug: int
    target_ug: int
    starts_before: int  # days before today on which our records begin
    episode_before: int  # days before today on which the treatment began
    leave: float
    come_back: float
    step_days: int
    priority: tuple[str, ...] = ()
    low_tolerance: bool = False
    sites: tuple[str, ...] = ()
    coming: dict[int, bool] = field(default_factory=dict)  # days before today -> comes

    def comes(self, rng: Random, before: int, came_last: bool) -> bool:
        if before in self.coming:
            return self.coming[before]
        return rng.random() >= self.leave if came_last else rng.random() < self.come_back


def plan(rng: Random, site: str, place: int, days: int, sex: str, main: str, second: str) -> Plan:
    """`place`: the patient's place in the site's list, from 0; the first ones carry the stories."""
    stories = AT_MAIN if site == main else ELSEWHERE
    story = stories[place] if place < len(stories) else None
    leave, come_back = _band(rng) if story is None else BANDS[0][1:]
    phase = MAINTENANCE if story else rng.choices((MAINTENANCE, INDUCTION, TAPER), (80, 12, 8))[0]
    dose = min(max(round(rng.gauss(58, 22) / 5) * 5, 20), 140) * 1000
    low = phase == INDUCTION and rng.random() < 0.15
    starts = days if phase != INDUCTION else rng.randrange(1, max(2, min(days, 60)) + 1)
    if phase == MAINTENANCE and story is None and rng.random() < 0.1:
        starts = rng.randrange(1, days + 1)  # came from another place meanwhile
    return Plan(
        story=story,
        phase=phase,
        first_dose_ug=_first(rng, phase, dose, low),
        target_ug=max(dose, 40_000) if phase == INDUCTION else dose,
        starts_before=starts,
        episode_before=starts if phase == INDUCTION else starts + rng.randrange(40, 1500),
        leave=leave,
        come_back=come_back,
        step_days=rng.choice((4, 4, 5, 7)) if phase == INDUCTION else rng.choice((7, 14)),
        priority=_priority(rng, sex),
        low_tolerance=low,
        sites=(site, second) if story == TWO_SITES else (site,),
        coming=_coming(story),
    )


def _band(rng: Random) -> tuple[float, float]:
    _, leave, come_back = rng.choices(BANDS, [share for share, _, _ in BANDS])[0]
    return leave, come_back


def _first(rng: Random, phase: str, dose: int, low: bool) -> int:
    if phase != INDUCTION:
        return max(dose, 40_000) if phase == TAPER else dose
    return 15_000 if low else rng.choices((20_000, 25_000), (85, 15))[0]


def _priority(rng: Random, sex: str) -> tuple[str, ...]:
    drawn = rng.random()
    if sex == "female" and drawn < 0.06:
        return ("pregnant",)
    return ("work",) if drawn > 0.92 else ()


def _coming(story: str | None) -> dict[int, bool]:
    if story is None:
        return {}
    away = {MISSED_3: 3, MISSED_5: 5}.get(story, 0)
    return {before: before > away for before in range(1, 13)}


def day_of(today: date, before: int) -> date:
    return today - timedelta(days=before)
