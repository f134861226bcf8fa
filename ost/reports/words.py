"""Words for a report, in one language, without a request: translations, numbers, sentences of the verdicts.

Does: what flask_babel does for pages, for a terminal and a background thread as well. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from babel.support import NullTranslations, Translations

from ost.errors import N_, catalogue

TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"
LANGUAGES = ("zh_Hant_TW", "zh_Hans_CN", "en")
NBSP = "\u00a0"
_ROC_YEAR_0 = 1911

USES = {
    "counter_verification": (N_("Counter verification"), N_("The person is known; the finger confirms it.")),
    "site_identification": (N_("Site identification"), N_("The finger says who it is among the people of one site.")),
    "national_guest": (
        N_("National guest dosing"),
        N_("Enrolled on one device, recognised on another, anywhere in the country."),
    ),
}
LEVELS = {
    "suitable": N_("Suitable"),
    "limited": N_("With limits"),
    "unsuitable": N_("Not suitable"),
    "undecided": N_("Cannot be said yet"),
}
SENTENCES = {
    ("counter_verification", "suitable"): N_(
        "It suits confirming a known person at the counter: %(rejected)s of the right people's touches were "
        "rejected, and %(accepted)s of other fingers were accepted."
    ),
    ("counter_verification", "limited"): N_("It confirms a known person at the counter with limits: %(why)s."),
    ("counter_verification", "unsuitable"): N_("It does not suit confirming a known person at the counter: %(why)s."),
    ("counter_verification", "undecided"): N_("Whether it suits the counter cannot be said from this sample: %(why)s."),
    ("site_identification", "suitable"): N_(
        "It suits finding a person among those of a site: %(named)s of the touches named the right person, and "
        "%(wrong)s a wrong one."
    ),
    ("site_identification", "limited"): N_("It finds a person among those of a site with limits: %(why)s."),
    ("site_identification", "unsuitable"): N_("It does not suit finding a person among those of a site: %(why)s."),
    ("site_identification", "undecided"): N_(
        "Whether it suits finding a person among those of a site cannot be said from this sample: %(why)s."
    ),
    ("national_guest", "suitable"): N_(
        "It suits guests from the whole country: its prints and those of the other devices recognise each other, "
        "with an equal error rate of at most %(crossed)s."
    ),
    ("national_guest", "limited"): N_("It serves guests from other devices with limits: %(why)s."),
    ("national_guest", "unsuitable"): N_("It does not suit guests from other devices: %(why)s."),
    ("national_guest", "undecided"): N_("Whether it suits guests cannot be said from this sample: %(why)s."),
}
SO_FAR = {
    "suitable": N_("So far nothing speaks against it."),
    "limited": N_("So far it looks usable with limits."),
}
REASONS = {
    "simulated": N_("it is a simulated reader, for practice only"),
    "own_matching_only": N_("it only matches inside itself and gives neither a picture nor a template"),
    "not_acquired": N_("%(value)s of the impressions could not be acquired"),
    "rejected": N_("%(value)s of the right people's touches were rejected"),
    "false_matches": N_("%(value)s of the comparisons of different fingers matched"),
    "resolution_differs": N_("it declares %(declared)s dpi, but the ridges look like %(estimated)s dpi"),
    "named_wrong": N_("%(value)s of the touches named a wrong person"),
    "not_named": N_("only %(named)s of the touches named the right person without help"),
    "template_only": N_(
        "it gives templates of its own and no picture, which costs accuracy against every other device"
    ),
    "crossing_costs": N_("against %(other)s its equal error rate is %(value)s"),
    "too_few_impostors": N_(
        "different fingers were compared %(impostor)s times and %(needed)s are needed, which takes at least "
        "%(fingers)s fingers, %(per_finger)s impressions each"
    ),
    "too_few_genuine": N_("the same finger was compared %(genuine)s times and %(needed)s are needed"),
    "too_few_fingers": N_("%(fingers)s fingers were captured and at least %(needed)s are needed"),
    "no_other_device": N_("no other device was evaluated with the same people"),
}
#: How a number of a reason is written.
_AS_PERCENT = ("value", "named")
SOURCES = {"picture": N_("picture, extracted here"), "device_template": N_("the device's own template")}
REFUSED = {"captured": N_("Captured")}
ADVICE = {
    "none": N_("good"),
    "too_dry": N_("too dry"),
    "too_wet": N_("too wet"),
    "too_few_minutiae": N_("too little of the finger"),
    "off_centre": N_("off centre"),
}
DPI_SOURCES = {
    "device": N_("said by the device"),
    "option": N_("given by whoever made the evaluation"),
    "assumed": N_("assumed, because nobody said"),
}
HOW = {
    "folder": N_("a folder of captures"),
    "upload": N_("an archive of captures"),
    "live": N_("a guided live session"),
    "station": N_("a guided live session at a counter's station"),
}


class Words:
    """Texts and numbers in one language."""

    def __init__(self, language: str):
        if language not in LANGUAGES:
            raise ValueError(f"language is one of {', '.join(LANGUAGES)}")
        self.language = language
        self.translations = _translations(language)

    @property
    def tag(self) -> str:
        """BCP 47."""
        return self.language.replace("_", "-")

    def say(self, text: str, **data) -> str:
        said = self.translations.gettext(text)
        return said % data if data else said

    # --- numbers
    @staticmethod
    def percent(value: float | None, digits: int = 2) -> str:
        """A fraction: 0.0028 -> "0.28 %", 0.12 -> "12 %"; "–" for none. At least `digits` digits that say something."""
        if value is None:
            return "–"
        hundredth = 100 * value
        if hundredth == 0:
            return f"0{NBSP}%"
        decimals = 0 if hundredth >= 10 else 1 if hundredth >= 1 else digits
        text = f"{hundredth:.{decimals}f}"
        if decimals:
            text = text.rstrip("0").rstrip(".")
        if float(text) == 0:
            text = f"{hundredth:.1g}" if hundredth >= 1e-4 else f"{hundredth:.0e}"
        return f"{text}{NBSP}%"

    def of(self, rate: Mapping | None) -> str:
        """A rate with what it was counted from: "2 % (1/50)"."""
        if rate is None or rate["value"] is None:
            return "–"
        return f"{self.percent(rate['value'])}{NBSP}({self.count(rate['errors'])}/{self.count(rate['n'])})"

    @staticmethod
    def count(value: float | None) -> str:
        return "–" if value is None else f"{round(value):,}"

    def interval(self, low: float | None, high: float | None) -> str:
        """Both ends of an interval of fractions, as in 0 % – 1.3 %."""
        return "–" if low is None or high is None else f"{self.percent(low)}{NBSP}–{NBSP}{self.percent(high)}"

    def ms(self, value: float | None) -> str:
        if value is None:
            return "–"
        return f"{value / 1000:.1f}{NBSP}s" if value >= 1000 else f"{value:.0f}{NBSP}ms"

    def day(self, at: datetime) -> str:
        """Both calendars in Taiwan, the reader's own first."""
        iso = at.date().isoformat()
        if self.language == "zh_Hant_TW":
            return f"{at.year - _ROC_YEAR_0}/{at.month:02}/{at.day:02} ({iso})"
        return iso

    # --- verdicts
    def reason(self, reason: Mapping) -> str:
        """One reason of a verdict, as part of a sentence."""
        if reason["code"] in REASONS:
            data = {
                name: self.percent(value)
                if name in _AS_PERCENT
                else self.count(value)
                if isinstance(value, (int, float))
                else value
                for name, value in reason.items()
                if name != "code"
            }
            return self.say(REASONS[reason["code"]], **data)
        return reason["code"]

    def why_not(self, code: str) -> str:
        """Why a capture came to nothing, as the catalogue titles it."""
        if code in REFUSED:
            return self.say(REFUSED[code])
        return self.say(catalogue()[code].title) if code in catalogue() else code.replace("_", " ")

    def after(self, sentence: str, another: str) -> str:
        """Two sentences; Chinese ones stand without a space."""
        return sentence + ("" if self.language.startswith("zh") else " ") + another


@cache
def _translations(language: str) -> NullTranslations:
    # English texts are the msgids themselves.
    return NullTranslations() if language == "en" else Translations.load(str(TRANSLATIONS), [language])
