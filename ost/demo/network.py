"""The practice network: two counties, six sites, their counters and what stands in their cupboards.

The hospitals are invented; only the counties are real.
"""

from __future__ import annotations

from dataclasses import dataclass

from ost import canonical
from ost.models import site, stock
from ost.services.work import Work

TZ = "Asia/Taipei"
LIQUID_10, LIQUID_5 = "methadone-10", "methadone-5"
#: (id, strength in ug/mL, names)
PRODUCTS = (
    (LIQUID_10, 10_000, "美沙冬口服液", "美沙酮口服液", "Methadone oral solution"),
    (LIQUID_5, 5_000, "美沙冬口服液", "美沙酮口服液", "Methadone oral solution"),
)


@dataclass(frozen=True, slots=True)
class Site:
    id: str
    county: str
    prefix: str  # of patients' numbers
    zh_hant: str
    zh_hans: str
    en: str
    share: float  # of all patients
    counters: int
    phone: str


SITES = (
    Site("HUA1", "HUA", "H", "花蓮示範醫院", "花莲示范医院", "Hualien Demo Hospital", 0.28, 2, "03-000-0101"),
    Site(
        "HUA2",
        "HUA",
        "J",
        "玉里示範衛生所",
        "玉里示范卫生所",
        "Yuli Demo Health Station",
        0.10,
        1,
        "03-000-0102",
    ),
    Site("HUA3", "HUA", "K", "吉安示範診所", "吉安示范诊所", "Ji'an Demo Clinic", 0.12, 1, "03-000-0103"),
    Site("TPE1", "TPE", "T", "臺北示範醫院", "台北示范医院", "Taipei Demo Hospital", 0.26, 2, "02-0000-0201"),
    Site("TPE2", "TPE", "U", "萬華示範院區", "万华示范院区", "Wanhua Demo Branch", 0.14, 1, "02-0000-0202"),
    Site("TPE3", "TPE", "V", "北投示範診所", "北投示范诊所", "Beitou Demo Clinic", 0.10, 1, "02-0000-0203"),
)
MAIN = ("HUA1", "TPE1")
#: Where two strengths stand open side by side.
TWO_STRENGTHS = "TPE2"


def shares(count: int) -> dict[str, int]:
    """How many of `count` patients each site has; every site has at least one where there are enough."""
    given = {s.id: int(count * s.share) for s in SITES}
    for code in [s.id for s in SITES]:
        if sum(given.values()) < count and given[code] == 0:
            given[code] = 1
    given[SITES[0].id] += count - sum(given.values())
    return given


def write(work: Work) -> None:
    """Sites, counters and products; `next_number` is set by whoever registers."""
    for s in SITES:
        work.add(
            site.site,
            id=s.id,
            county=s.county,
            name_zh_hant=s.zh_hant,
            name_zh_hans=s.zh_hans,
            name_en=s.en,
            phone=s.phone,
            tz=TZ,
            medicines=canonical.text(["methadone"]),
            policy="tw",
            number_prefix=s.prefix,
            next_number=1,
            # Open all day, so that the demo can be tried at any hour.
            opens="00:00",
            closes="23:59",
            active=True,
        )
        for label in range(1, s.counters + 1):
            work.add(site.counter, id=f"{s.id}-{label}", site=s.id, label=str(label), version=1)
    for product, strength, zh_hant, zh_hans, en in PRODUCTS:
        work.add(
            stock.product,
            id=product,
            medicine="methadone",
            unit="ul",
            strength_ug_per_ml=strength,
            halves=False,
            name_zh_hant=zh_hant,
            name_zh_hans=zh_hans,
            name_en=en,
        )
    work.payload = {"sites": [s.id for s in SITES]}
