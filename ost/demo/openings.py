"""Where the practice sites stand, when they are open, and how many guests they take. Towns are real, addresses are not.

The two hospitals are open long, so that the demo can be tried at any hour of a
day; the others keep the hours of a health station, a branch and two clinics.
"""

from __future__ import annotations

from dataclasses import dataclass

from ost import canonical
from ost.models import opening
from ost.services.work import Work

#: "07:00", last dose, "closing" on the site's clock, and the places of such a day with how many at once.
Hours = tuple[str, str, str, int, int]
MON_TO_FRI, SAT, SUN, HOLIDAY = (1, 2, 3, 4, 5), (6,), (7,), (8,)


@dataclass(frozen=True, slots=True)
class Opening:
    site: str
    lat_e6: int
    lon_e6: int
    zh_hant: str
    zh_hans: str
    en: str
    equipment: tuple[str, ...]
    hours: tuple[tuple[tuple[int, ...], Hours], ...]


OPENINGS = (
    Opening(
        "HUA1",
        23_976_900,
        121_604_400,
        "花蓮縣花蓮市示範路1號",
        "花莲县花莲市示范路1号",
        "1 Demo Road, Hualien City, Hualien County",
        ("step_free", "buprenorphine_room"),
        (((*MON_TO_FRI, *SAT, *SUN), ("06:00", "21:30", "22:00", 8, 4)), (HOLIDAY, ("06:00", "21:30", "22:00", 6, 2))),
    ),
    Opening(
        "HUA2",
        23_336_700,
        121_311_700,
        "花蓮縣玉里鎮示範街2號",
        "花莲县玉里镇示范街2号",
        "2 Demo Street, Yuli Township, Hualien County",
        ("step_free",),
        ((MON_TO_FRI, ("07:30", "11:30", "12:00", 3, 1)), (SAT, ("08:00", "10:30", "11:00", 2, 0))),
    ),
    Opening(
        "HUA3",
        23_961_700,
        121_568_300,
        "花蓮縣吉安鄉示範一街3號",
        "花莲县吉安乡示范一街3号",
        "3 Demo 1st Street, Ji'an Township, Hualien County",
        (),
        (((*MON_TO_FRI, *SAT), ("08:00", "11:30", "12:00", 4, 0)),),
    ),
    Opening(
        "TPE1",
        25_032_400,
        121_519_800,
        "臺北市中正區示範路1號",
        "台北市中正区示范路1号",
        "1 Demo Road, Zhongzheng District, Taipei City",
        ("step_free", "buprenorphine_room"),
        (((*MON_TO_FRI, *SAT, *SUN), ("06:00", "21:30", "22:00", 10, 5)), (HOLIDAY, ("06:00", "21:30", "22:00", 8, 3))),
    ),
    Opening(
        "TPE2",
        25_033_800,
        121_497_700,
        "臺北市萬華區示範街2號",
        "台北市万华区示范街2号",
        "2 Demo Street, Wanhua District, Taipei City",
        ("step_free",),
        (((*MON_TO_FRI, *SAT, *SUN), ("07:00", "11:30", "12:00", 4, 2)), (HOLIDAY, ("07:00", "10:30", "11:00", 4, 1))),
    ),
    Opening(
        "TPE3",
        25_132_100,
        121_501_400,
        "臺北市北投區示範路3號",
        "台北市北投区示范路3号",
        "3 Demo Road, Beitou District, Taipei City",
        (),
        ((MON_TO_FRI, ("08:00", "11:30", "12:00", 3, 0)),),
    ),
)


def write(work: Work) -> None:
    for o in OPENINGS:
        work.add(
            opening.guest_site,
            site=o.site,
            lat_e6=o.lat_e6,
            lon_e6=o.lon_e6,
            address_zh_hant=o.zh_hant,
            address_zh_hans=o.zh_hans,
            address_en=o.en,
            equipment=canonical.text(list(o.equipment)),
            listed=True,
            policy_countersign=None,
            version=1,
        )
        names = ("opens", "last_dose", "closes", "places", "at_once")
        rows = [
            {"site": o.site, "weekday": weekday, **dict(zip(names, hours, strict=True))}
            for weekdays, hours in o.hours
            for weekday in weekdays
        ]
        work.add_many(opening.site_hours, rows)
    work.payload |= {"guest_sites": [o.site for o in OPENINGS]}
