"""Invented people: names put together from common characters, valid national IDs, telephones nobody has.

The same seed gives the same people. None of them exists: a national ID here is
only a number whose check digit is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from ost.rules.identity import LETTERS, checks

#: Common surnames and characters of given names; drawn one by one, so that no list of people is behind them.
_SURNAMES = "陳林黃張李王吳劉蔡楊許鄭謝郭洪曾邱廖賴周徐蘇葉莊呂江何蕭羅高潘簡朱鍾彭游詹胡施沈"
_MALE = "志明建宏俊傑文雄家豪冠宇承翰信義國榮政偉育誠柏勝耀輝昌德慶祥永福正仁世忠"
_FEMALE = "淑芬美玲雅婷怡君惠雯佩珊麗華秀英佳蓉靜宜詩涵欣慧玉珍素琴孟潔雪梅依庭"
#: Where the number was first issued: letters of counties.
_COUNTIES = "ABDEFHJKMNPQTUV"


@dataclass(frozen=True, slots=True)
class Person:
    """What a registration desk writes down. `number` is the place in the list, from 0."""

    number: int
    name: str
    sex: str
    birth_date: date
    national_id: str
    phone: str
    language: str


def people(count: int, seed: int, today: date) -> list[Person]:
    """`count` people; national IDs differ."""
    rng = Random(f"people {seed}")
    used: set[str] = set()
    made = []
    for number in range(count):
        # Roughly the sexes and ages of the programme's people; nobody under 21.
        sex = "female" if rng.random() < 0.17 else "male"
        age_days = int(min(max(rng.gauss(46, 9), 21), 78) * 365.25)
        made.append(
            Person(
                number=number,
                name=_name(rng, sex),
                sex=sex,
                birth_date=today - timedelta(days=age_days + rng.randrange(365)),
                national_id=_national_id(rng, sex, used),
                phone=f"0900-000-{number:03d}",
                language="zh_Hant_TW" if rng.random() < 0.97 else "en",
            )
        )
    return made


def _name(rng: Random, sex: str) -> str:
    characters = _FEMALE if sex == "female" else _MALE
    first, second = rng.sample(characters, 2)
    return rng.choice(_SURNAMES) + first + (second if rng.random() < 0.92 else "")


def _national_id(rng: Random, sex: str, used: set[str]) -> str:
    """A number with a right check digit: its last digit is found by trying all ten."""
    while True:
        letter = rng.choice([c for c in _COUNTIES if c in LETTERS])
        stem = f"{letter}{'2' if sex == 'female' else '1'}{rng.randrange(10**7):07d}"
        number = next(stem + str(n) for n in range(10) if checks(stem + str(n)))
        if number not in used:
            used.add(number)
            return number
