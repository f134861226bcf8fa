"""Rows of a small network for drills, benchmarks and tests, as the services write them but without their
slow parts (argon2, images). Everything goes through `House.work`, so that `ost verify` holds for it too.
"""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import sqlalchemy as sa

from ost import canonical, clock
from ost.models import opening, patient, prescription, site, staff, stock
from ost.rules.access import Grant
from ost.services import sealed
from ost.services.register import append_line, lock_bottle
from ost.services.work import Actor, House, new_id

_numbers = itertools.count(1)
TZ = "Asia/Taipei"
MAKER = Actor("maker")
WORDS = {"name_zh_hant": "示範醫院", "name_zh_hans": "示范医院", "name_en": "Demo Hospital"}


def make_site(house: House, code: str = "HUA1", county: str = "HUA", **values) -> str:
    with house.work(MAKER, code, "made.site") as work:
        work.add(
            site.site,
            **{
                "id": code,
                "county": county,
                "phone": "03-000-0000",
                "tz": TZ,
                "medicines": canonical.text(["methadone", "buprenorphine"]),
                "policy": "tw",
                "number_prefix": code[0] + code[-1],
                "next_number": 1,
                "opens": "00:00",
                "closes": "23:59",
                "active": True,
                **WORDS,
                **values,
            },
        )
        work.payload = {"site": code}
    return code


def make_guest_site(
    house: House,
    code: str = "HUA1",
    lat_e6: int = 23_991_600,
    lon_e6: int = 121_611_100,
    places: int = 4,
    at_once: int = 2,
    *,
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8),
    opens: str = "07:00",
    last_dose: str = "11:30",
    closes: str = "12:00",
    **values,
) -> str:
    """An existing site takes guests: where it is, its hours on these weekdays (8 = public holiday), its places."""
    row = {
        "site": code,
        "lat_e6": lat_e6,
        "lon_e6": lon_e6,
        "address_zh_hant": "示範路1號",
        "address_zh_hans": "示范路1号",
        "address_en": "1 Demo Road",
        "equipment": "[]",
        "listed": True,
        "policy_countersign": None,
        "version": 1,
        **values,
    }
    hours = {"site": code, "opens": opens, "last_dose": last_dose, "closes": closes, "places": places}
    with house.work(MAKER, code, "made.guest_site") as work:
        work.add(opening.guest_site, **row)
        work.add_many(opening.site_hours, [{**hours, "weekday": day, "at_once": at_once} for day in weekdays])
        work.payload = {"site": code}
    return code


def make_counter(house: House, site_id: str = "HUA1", number: int = 1, station: str | None = None) -> str:
    counter = f"{site_id}-{number}"
    with house.work(MAKER, site_id, "made.counter") as work:
        work.add(site.counter, id=counter, site=site_id, label=str(number), station=station, version=1)
    return counter


def make_account(
    house: House,
    *roles: str,
    scope: str = "HUA1",
    scope_kind: str = "site",
    username: str | None = None,
    **values,
) -> Actor:
    """An account that can act; its password and PIN hashes match nothing unless given."""
    account = new_id()
    grants = tuple(Grant(role, scope_kind, scope) for role in roles)
    row = {
        "id": account,
        "username": username or f"user{next(_numbers)}",
        "display_name": "測試人員",
        "password_hash": "!",
        "pin_hash": "!",
        "totp_sealed": b"",
        "totp_last_step": 0,
        "language": "en",
        "active": True,
        "created_at": house.now(),
        **values,
    }
    with house.work(MAKER, None, "made.account") as work:
        work.add(staff.account, **row)
        work.add_many(
            staff.role_grant,
            [
                {
                    "id": new_id(),
                    "account": account,
                    "role": g.role,
                    "scope_kind": g.scope_kind,
                    "scope": g.scope,
                }
                for g in grants
            ],
        )
    return Actor(account, grants)


def make_patient(house: House, site_id: str = "HUA1", *, name: str = "陳大明", **values) -> str:
    person, number = new_id(), next(_numbers)
    with house.work(MAKER, site_id, "made.patient", patient=person) as work:
        key = sealed.make_person_key(work, person)

        def shut(field_name: str, value: str) -> bytes:
            return sealed.seal(key, person, "patient", field_name, value)

        row = {
            "id": person,
            "home_site": site_id,
            "number": f"T-{number:05d}",
            "sex": "male",
            "active": True,
            "low_tolerance": False,
            "language": "zh_Hant_TW",
            "priority": "[]",
            "episode_started_on": None,
            "national_id_mac": house.keys.search_mac("national_id", f"test{number}"),
            "card_mac": house.keys.search_mac("card", f"card{number}"),
            "name_sealed": shut("name", name),
            "national_id_sealed": shut("national_id", "A123456789"),
            "birth_date_sealed": shut("birth_date", "1979-05-03"),
            "registered_at": work.now,
            "registered_by": MAKER.id,
            "change_no": work.next_change_no("patients"),
            **values,
        }
        work.add(patient.patient, **row)
    return person


def make_product(
    house: House, product_id: str = "methadone-10", strength_ug_per_ml: int = 10_000, **values
) -> str:
    with house.db.begin() as tx:
        known = tx.execute(sa.select(stock.product.c.id).where(stock.product.c.id == product_id)).scalar()
        if not known:
            tx.execute(
                sa.insert(stock.product),
                {
                    "id": product_id,
                    "medicine": "methadone",
                    "unit": "ul",
                    "strength_ug_per_ml": strength_ug_per_ml,
                    "halves": False,
                    "name_zh_hant": "美沙冬口服液",
                    "name_zh_hans": "美沙酮口服液",
                    "name_en": "Methadone oral solution",
                    **values,
                },
            )
    return product_id


def make_bottle(
    house: House,
    site_id: str = "HUA1",
    *,
    product: str = "methadone-10",
    volume_ul: int = 1_000_000,
    state: str = "open",
    bottle_id: str | None = None,
    **values,
) -> str:
    """An open bottle with `volume_ul` received."""
    make_product(house, product)
    bottle_id = bottle_id or f"M-{next(_numbers)}"
    with house.work(MAKER, site_id, "made.bottle") as work:
        row = {
            "id": bottle_id,
            "site": site_id,
            "product": product,
            "kind": "stock",
            "lot": "L1",
            "expires_on": date(2099, 1, 1),
            "state": state,
            "opened_at": work.now if state == "open" else None,
            "scan_mac": house.keys.search_mac("bottle", bottle_id),
            "line": 0,
            "balance_ul": 0,
            **values,
        }
        work.add(stock.bottle, **row)
        head = lock_bottle(work, bottle_id)
        append_line(work, head, kind="received", change_ul=volume_ul, day=work.now.date())
    return bottle_id


def make_prescription(
    house: House, patient_id: str, *, dose_ug: int = 60_000, sites: tuple[str, ...] = ("HUA1",), **values
) -> str:
    """A maintenance order, in force since 60 days ago."""
    order, today = new_id(), clock.dosing_day(house.now(), TZ)
    with house.work(MAKER, sites[0], "made.prescription", patient=patient_id) as work:
        row = {
            "id": order,
            "patient": patient_id,
            "medicine": "methadone",
            "phase": "maintenance",
            "slot": 1,
            "dose_ug": dose_ug,
            "starts_on": today - timedelta(days=60),
            "ends_on": None,
            "days": "[1,2,3,4,5,6,7]",
            "sites": canonical.text(list(sites)),
            "episode_started_on": today - timedelta(days=200),
            "previous_dose_ug": dose_ug,
            "elsewhere_on": today - timedelta(days=2),  # documented by the site they came from
            "elsewhere_dose_ug": dose_ug,
            "prescriber": MAKER.id,
            "site": sites[0],
            "written_at": work.now - timedelta(days=60),
            **values,
        }
        work.add(prescription.prescription, **row)
    return order


def make_people(
    house: House, site_id: str, count: int, *, dose_ug: int = 60_000, sites: tuple[str, ...] = ()
) -> list[str]:
    """`count` patients at once, each with a maintenance order documented to have been taken until yesterday."""
    today = clock.dosing_day(house.now(), TZ)
    people, keys_, orders = [], [], []
    with house.work(MAKER, site_id, "made.people") as work:
        change_no = work.next_change_no("patients")
        for _ in range(count):
            person, number = new_id(), next(_numbers)
            key, wrapped = house.keys.new_person_key(person)

            def shut(name: str, value: str, key=key, person=person) -> bytes:
                return sealed.seal(key, person, "patient", name, value)

            keys_.append({"person": person, "wrapped": wrapped})
            people.append(
                {
                    "id": person,
                    "home_site": site_id,
                    "number": f"N-{number:06d}",
                    "sex": "male",
                    "active": True,
                    "low_tolerance": False,
                    "language": "zh_Hant_TW",
                    "priority": "[]",
                    "episode_started_on": today - timedelta(days=200),
                    "national_id_mac": house.keys.search_mac("national_id", f"made{number}"),
                    "card_mac": house.keys.search_mac("card", f"made{number}"),
                    "name_sealed": shut("name", f"示範{number}"),
                    "national_id_sealed": shut("national_id", "A123456789"),
                    "birth_date_sealed": shut("birth_date", "1979-05-03"),
                    "registered_at": work.now,
                    "registered_by": MAKER.id,
                    "change_no": change_no,
                }
            )
            orders.append(
                {
                    "id": new_id(),
                    "patient": person,
                    "medicine": "methadone",
                    "phase": "maintenance",
                    "slot": 1,
                    "dose_ug": dose_ug,
                    "starts_on": today - timedelta(days=60),
                    "days": "[1,2,3,4,5,6,7]",
                    "sites": canonical.text(list(sites or (site_id,))),
                    "episode_started_on": today - timedelta(days=200),
                    "previous_dose_ug": dose_ug,
                    "elsewhere_on": today - timedelta(days=1),
                    "elsewhere_dose_ug": dose_ug,
                    "prescriber": MAKER.id,
                    "site": site_id,
                    "written_at": work.now - timedelta(days=60),
                }
            )
        work.add_many(patient.person_key, keys_)
        work.add_many(patient.patient, people)
        work.add_many(prescription.prescription, orders)
    return [row["id"] for row in people]
