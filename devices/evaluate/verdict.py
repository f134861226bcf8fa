"""From figures to one answer per use: suitable, with limits, not suitable, or not to be said from this sample.

Does: pure rules over the evaluation's own figures, each with the reasons behind it as codes and numbers.
Does not: word them (the report does), or refuse anybody anything.

The thresholds are one list below. Those without a source are chosen here and marked so; the operating points
are those of fingerprints/decide.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

COUNTER, SITE, NATIONAL = USES = ("counter_verification", "site_identification", "national_guest")
SUITABLE, LIMITED, UNSUITABLE, UNDECIDED = LEVELS = ("suitable", "limited", "unsuitable", "undecided")

# Chosen here: one touch in twenty repeated is hardly noticed in a queue; from about one in seven on the
# queue stands, and the card is quicker.
GOOD_FTA, MOST_FTA = 0.05, 0.15
GOOD_FRR, MOST_FRR = 0.05, 0.15
# The false match rates a health department is asked to look at (0.1 % and 1 %); a name is confirmed by
# face besides, so that one in a thousand is no dose in the wrong hands.
GOOD_FMR, MOST_FMR = 0.001, 0.01
# Chosen here: of all touches, how many a search has to name by itself; the others choose a face or show a card.
GOOD_NAMED, LEAST_NAMED = 0.90, 0.70
MOST_NAMED_WRONG = 0.01
# Mixed extractors cost 3 to 15 times the error rate (DEVICES.md, "Matching"): chosen here, three times what
# pictures reach in FVC2002 (0.6 % EER) is still usable with a second touch, ten times is not.
GOOD_CROSS_EER, MOST_CROSS_EER = 0.02, 0.06
# Rule of 3 (ISO/IEC 19795-1) for FMR 1 %, 0.1 % and 0.01 %.
LEAST_IMPOSTOR = {COUNTER: 300, SITE: 3_000, NATIONAL: 30_000}
# Rule of 30 (there too) for a rejection rate of GOOD_FRR would ask for 600; chosen here: so many that none
# rejected puts the rate below 5 % at 95 % (rule of 3).
LEAST_GENUINE = 60
LEAST_FINGERS = 5  # chosen here: of fewer fingers no rate says anything of a device


@dataclass(frozen=True, slots=True)
class Verdict:
    """`level`: one of LEVELS. `so_far`: where it is undecided, what the figures point at. `reasons`: codes with
    their numbers, the weightiest first."""

    use: str
    level: str
    so_far: str | None = None
    reasons: tuple[dict, ...] = field(default_factory=tuple)

    def plain(self) -> dict:
        return {"level": self.level, "so_far": self.so_far, "reasons": list(self.reasons)}


def verdicts(document: dict) -> dict[str, Verdict]:
    """One verdict per use, from the figures of an evaluation (document.py)."""
    return {use: _verdict(use, document) for use in USES}


def _verdict(use: str, document: dict) -> Verdict:
    if document["device"]["simulated"]:
        return Verdict(use, UNDECIDED, None, ({"code": "simulated"},))
    if document["device"]["gives"] == "own_matching":
        return Verdict(use, UNSUITABLE, None, ({"code": "own_matching_only"},))
    found = [*_capture(document), *_rejections(document), *_false_matches(document), *_resolution(document)]
    if use != COUNTER:
        found += _searches(document)
    if use == NATIONAL:
        found += _elsewhere(document)
    missing = _missing(use, document)
    against = [reason for level, reason in found if level == UNSUITABLE]
    limits = [reason for level, reason in found if level == LIMITED]
    reached = UNSUITABLE if against else LIMITED if limits else SUITABLE
    if against:
        return Verdict(use, UNSUITABLE, None, (*against, *limits))
    if missing:
        return Verdict(use, UNDECIDED, reached if document["genuine"] else None, (*missing, *limits))
    return Verdict(use, reached, None, tuple(limits))


def _grade(value: float | None, good: float, most: float, code: str, **numbers) -> list[tuple[str, dict]]:
    if value is None or value <= good:
        return []
    return [(LIMITED if value <= most else UNSUITABLE, {"code": code, "value": value, **numbers})]


def _capture(document: dict):
    return _grade(document["fta"]["value"], GOOD_FTA, MOST_FTA, "not_acquired")


def rejected(document: dict) -> float | None:
    """Right people rejected at one touch: as practised where enough impressions are there, else one against one."""
    if document["practice"]:
        return document["practice"]["one_touch"]["value"]
    at = document["gated"]["at_threshold"]
    return at["fnmr"]["value"] if at else None


def _rejections(document: dict):
    return _grade(rejected(document), GOOD_FRR, MOST_FRR, "rejected")


def _false_matches(document: dict):
    at = document["gated"]["at_threshold"]
    return _grade(at["fmr"]["value"] if at else None, GOOD_FMR, MOST_FMR, "false_matches")


def _resolution(document: dict):
    estimated, declared = document["dpi_estimated"], document["dpi_declared"]
    if not estimated or not declared or estimated["low"] <= declared <= estimated["high"]:
        return []
    return [(LIMITED, {"code": "resolution_differs", "declared": declared, "estimated": estimated["value"]})]


def _searches(document: dict):
    practice = document["practice"]
    if not practice:
        return []
    wrong = practice["identify"]["named_wrong"]["value"]
    named = practice["identify"]["named_right"]["value"]
    return [
        *_grade(wrong, 0.0, MOST_NAMED_WRONG, "named_wrong"),
        *_grade(1 - named, 1 - GOOD_NAMED, 1 - LEAST_NAMED, "not_named", named=named),
    ]


def _elsewhere(document: dict):
    found = []
    if document["device"]["gives"] == "template":
        found.append((LIMITED, {"code": "template_only"}))
    worst = max(_crossed(document), key=lambda cell: cell["gated_eer"], default=None)
    if worst:
        found += _grade(
            worst["gated_eer"], GOOD_CROSS_EER, MOST_CROSS_EER, "crossing_costs", other=_other(document, worst)
        )
    return found


def _crossed(document: dict) -> list[dict]:
    """Cells of this device, as a guest would meet it, with other devices."""
    mine = document["side"]
    device = {side["key"]: side["device"] for side in document["sides"]}
    return [
        cell
        for cell in document["matrix"]
        if mine == cell["enrolled"]
        and device[cell["verified"]] != document["device"]["name"]
        and cell["gated_eer"] is not None
    ]


def _other(document: dict, cell: dict) -> str:
    return next(side["device"] for side in document["sides"] if side["key"] == cell["verified"])


def _missing(use: str, document: dict) -> list[dict]:
    """What the sample lacks for this use."""
    lacks = []
    gated = document["gated"]
    if gated["impostor"] < LEAST_IMPOSTOR[use]:
        lacks.append(
            {
                "code": "too_few_impostors",
                "impostor": gated["impostor"],
                "needed": LEAST_IMPOSTOR[use],
                "fingers": fingers_for(LEAST_IMPOSTOR[use], document["sample"]["impressions_per_finger"]),
                "per_finger": max(1, round(document["sample"]["impressions_per_finger"])),
            }
        )
    if gated["genuine"] < LEAST_GENUINE:
        lacks.append({"code": "too_few_genuine", "genuine": gated["genuine"], "needed": LEAST_GENUINE})
    if document["sample"]["fingers"] < LEAST_FINGERS:
        lacks.append({"code": "too_few_fingers", "fingers": document["sample"]["fingers"], "needed": LEAST_FINGERS})
    if use == NATIONAL and not _crossed(document):
        lacks.append({"code": "no_other_device"})
    return lacks


def fingers_for(impostor: int, impressions_per_finger: float) -> int:
    """How many fingers, each with so many impressions, give at least `impostor` impostor comparisons."""
    each = max(1.0, impressions_per_finger) ** 2
    return math.ceil((1 + math.sqrt(1 + 8 * impostor / each)) / 2)
