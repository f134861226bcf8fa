"""Two sites that know nothing of each other, and for every POST of the API a body it takes.

`World(app)` is what the walks over the whole API share: strangers at the door, fields nobody declared, odd values.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import date, timedelta

from ost.bench.makers import make_guest_site
from ost.services import sessions
from ost.services.work import new_id
from tests import make
from tests.plugins.clients import PIN, Api, house_of, make_person, sign_in_as
from tests.touch import picture

API = "/api/v1"
EVERY_ROLE = ("nurse", "prescriber", "pharmacist", "registrar", "case_manager", "admin", "auditor")
NAME, NATIONAL_ID, PHONE = "林美麗", "A123456789", "0912-345-678"
#: Another valid number, for a second person.
OTHER_NATIONAL_ID = "B120863158"
#: Doors of stations and of people not yet signed in; they have tests of their own.
OTHER_DOORS = ("/agent/", "/sign-in", "/sign-out")

#: POSTs that need nothing but the request they are about.
ONLY_A_STEP = tuple(
    "/guest-requests/{request_id}/" + action
    for action in (
        "approve", "accept", "countersign", "take_over", "withdraw_offer", "take_offer", "leave_offer", "cancel", "end",
    )
)  # fmt: skip


def print_of(finger: int = 101, impression: int = 1) -> str:
    return base64.b64encode(picture(finger, impression)).decode()


@dataclass
class World:
    """HUA1 with a patient, an open and a sealed bottle, a promised dose, a hold; TPE1 with the same of its own."""

    app: object
    ids: dict = field(default_factory=dict)

    def __post_init__(self):
        self.house = house_of(self.app)
        self.clinic = make.make_clinic(self.house)
        self.witness = make_person(self.house, "nurse", "pharmacist", username="wu")
        self.nurse = self.api(self.clinic.nurse)
        self.everyone = self.api(make.make_account(self.house, *EVERY_ROLE, "coordinator"))
        new_one = make.make_patient(self.house)
        sealed = make.make_bottle(self.house, state="sealed", opened_at=None)
        promised = make.give(self.house, self.clinic).dose_id
        hold = self.everyone.post(f"{API}/holds", self._hold(new_one))
        assert hold.status_code == 201, hold.get_json()
        self.ids = {
            "site": "HUA1",
            "patient_id": self.clinic.patient,
            "new_patient": new_one,
            "dose_id": promised,
            "bottle_id": self.clinic.bottle,
            "sealed": sealed,
            "prescription_id": self.clinic.order,
            "hold_id": hold.get_json()["id"],
            "finger": "right_index",
            "name": "guest_requests",
        }
        self.ids["request_id"] = self._guest_request()
        self.ids["closure_id"] = self._closure()

    def _guest_request(self) -> str:
        """HUA1's patient has asked for a place at GUE1, which knows neither of the others."""
        make.make_site(self.house, "GUE1", "TTT", number_prefix="GU")
        make_guest_site(self.house, "GUE1")
        answer = self.nurse.post(f"{API}/guest-requests", self._guest_wanted(10))
        assert answer.status_code == 201, answer.get_json()
        return answer.get_json()["request_id"]

    def _guest_wanted(self, days_ahead: int) -> dict:
        day = date.fromisoformat(self.today()) + timedelta(days=days_ahead)
        return {
            "request_id": new_id(), "patient_id": self.clinic.patient, "site": "GUE1", "days": [day.isoformat()],
            "consent": {"until": (day + timedelta(days=9)).isoformat()},
        }  # fmt: skip

    def _closure_wanted(self, days_ahead: int) -> dict:
        day = date.fromisoformat(self.today()) + timedelta(days=days_ahead)
        return {"sites": ["HUA1"], "days": [day.isoformat()], "reason": "typhoon"}

    def _closure(self) -> str:
        """HUA1 will be closed in a month."""
        wanted = self._closure_wanted(30)
        digest = self.nurse.post(f"{API}/closures/preview", wanted).get_json()["digest"]
        answer = self.nurse.post(f"{API}/closures", wanted | {"digest": digest})
        assert answer.status_code == 201, answer.get_json()
        return answer.get_json()["id"]

    def api(self, actor) -> Api:
        return Api(self.app, sign_in_as(self.app, actor, sessions.API))

    def stranger(self) -> Api:
        """Somebody who may do everything there is, at TPE1 only."""
        if "TPE1" not in self.ids:
            self.ids["TPE1"] = make.make_clinic(self.house, "TPE1")
        return self.api(make.make_account(self.house, *EVERY_ROLE, scope="TPE1"))

    @staticmethod
    def _hold(person: str) -> dict:
        come = {"come_back_on": "2099-01-01"}
        return {"patient_id": person, "site": "HUA1", "kind": "clinical", "reason_code": "medical_review", **come}

    def path(self, rule: str) -> str:
        """`rule` of the description with the ids of HUA1 in it."""
        return API + re.sub(r"\{(\w+)\}", lambda found: self.ids[found.group(1)], rule)

    def body(self, rule: str) -> dict:
        """A body that POST `rule` takes from somebody who may."""
        i = self.ids
        dose = make.dose_request(self.clinic)
        bodies = {
            "/patients": {"site": "HUA1", "name": NAME, "national_id": NATIONAL_ID, "birth_date": "68/5/3", "sex": "female"},
            "/patients/{patient_id}/fingerprints": {"finger": "right_index", "dpi": 500, "image": "AAAA"},
            "/identify": {"site": "HUA1", "dpi": 500, "image": "AAAA"},
            "/prescriptions": {"patient_id": i["new_patient"], "medicine": "methadone", "phase": "induction", "dose_mg": "20"},
            "/prescriptions/{prescription_id}/stop": {"reason": "moved away"},
            "/holds": self._hold(i["new_patient"]),
            "/holds/{hold_id}/release": {"reason": "seen"},
            "/signoffs": {"patient_id": i["patient_id"], "code": "second_look", "day": self.today(), "dose_mg": "30"},
            "/bottles": {
                "site": "HUA1", "product": "methadone-10", "lot": "L2", "expires_on": "2099-01-01",
                "volume_ul": 1_000_000, "delivery": "D-1",
            },
            "/bottles/{bottle_id}/open": {"site": "HUA1", "unscanned_reason": "label_damaged"},
            "/bottles/{bottle_id}/count": {"site": "HUA1", "counted_ul": 5, "reason": "counted"},
            "/bottles/{bottle_id}/spill": {"site": "HUA1", "volume_ul": 5, "reason": "dropped"},
            "/bottles/{bottle_id}/close": {"site": "HUA1", "reason": "empty"},
            "/residue/destroy": {
                "site": "HUA1", "product": "methadone-10", "volume_ul": 5, "certificate": "C-1", "method": "poured on cat litter",
                "witness": "no-such-token",
            },
            "/doses": {
                "dose_id": dose.dose_id, "patient_id": dose.patient_id, "site": dose.site, "bottle": dose.bottle, "slot": 1,
                "seen": {"dose_ug": 60_000, "volume_ul": 6_000},
                "identity": {"path": "number_face", "capture": None, "reason": "patient_prefers"}, "observations": [],
            },
            "/doses/{dose_id}/outcome": {"outcome": "swallowed"},
            "/doses/{dose_id}/observations": {"kind": "drowsy", "minutes_after": 5},
            "/doses/{dose_id}/void": {"reason": "wrong person", "witness": "no-such-token"},
            "/doses/{dose_id}/replacement": {"reason": "vomited"},
            "/witness": {"dose_id": i["dose_id"], "username": self.witness.username, "pin": PIN},
            "/guest-requests": self._guest_wanted(20),
            "/guest-requests/look": self._guest_wanted(20),
            "/guest-requests/{request_id}/change": self._guest_wanted(10),
            "/guest-requests/{request_id}/decline": {"reason": "not_stable"},
            "/guest-requests/{request_id}/refuse": {"reason": "no_staff"},
            "/guest-requests/{request_id}/question": {"text": "?"},
            "/guest-requests/{request_id}/answer": {"text": "!"},
            "/guest-requests/{request_id}/offer": {"site": "TPE1"},
            "/guest-requests/{request_id}/drop_day": {"day": self.today()},
            "/closures": self._closure_wanted(31) | {"digest": "0" * 64},
            "/closures/preview": self._closure_wanted(31),
            "/closures/{closure_id}/undo": {},
            "/unlock": {"username": self.witness.username, "site": "HUA1"},
        }  # fmt: skip
        return {} if rule in ONLY_A_STEP else bodies[rule]

    def query(self, rule: str) -> dict:
        """What GET `rule` is asked with."""
        queries = {
            "/bottles": {"site": "HUA1"},
            "/guest-requests": {"site": "HUA1"},
            "/closures": {"site": "HUA1"},
            "/patients/{patient_id}/decision": {"site": "HUA1"},
            "/register/totals": {"site": "HUA1", "from": "2020-01-01", "to": "2099-01-01"},
        }
        return queries.get(rule, {})

    def today(self) -> str:
        from ost import clock

        return clock.dosing_day(self.house.now(), "Asia/Taipei").isoformat()

    def routes(self):
        """(method, rule) of everything a signed-in person can ask for, from the description itself."""
        spec = Api(self.app).get(f"{API}/openapi.json").get_json()
        for whole, methods in spec["paths"].items():
            rule = whole.removeprefix(API)
            if not rule.startswith(OTHER_DOORS):
                yield from ((method.upper(), rule) for method in methods if method in ("get", "post", "delete"))

    def ask(self, api: Api, method: str, rule: str):
        if method == "GET":
            return api.get(self.path(rule), **self.query(rule))
        if method == "DELETE":
            return api.client.delete(self.path(rule), headers=api.headers)
        return api.post(self.path(rule), self.body(rule))


def tables(house, *but: str) -> dict[str, int]:
    """How many rows each table has: what a request wrote shows here."""
    import sqlalchemy as sa

    from ost.models import metadata

    with house.read() as tx:
        count = {t.name: tx.execute(sa.select(sa.func.count()).select_from(t)).scalar() for t in metadata.sorted_tables}
    return {name: n for name, n in count.items() if name not in but}



