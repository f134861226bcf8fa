"""A network of sites with people due today, behind a real `ost serve`, for drills and benchmarks.

Signing in is not what is measured: each site's nurse gets an API session
directly, as sign-in would have made it.
"""

from __future__ import annotations

import http.client
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ost import keys
from ost.bench.cluster import ThrowawayPostgres
from ost.bench.makers import make_account, make_bottle, make_people, make_site
from ost.bench.served import LiveServer
from ost.db import Database, migrate
from ost.services import sessions
from ost.services.work import Actor, House, new_id

ENGINES = ("postgresql", "sqlite")
DOSE_UG, VOLUME_UL = 60_000, 6_000


@dataclass
class Site:
    code: str
    bottle: str
    nurse: Actor
    token: str


@dataclass
class Network:
    house: House
    home: Path
    url: str
    sites: list[Site] = field(default_factory=list)

    def people(self, count: int, site: int = 0, *, everywhere: bool = False) -> list[str]:
        """New patients due today, at one site or at all of them."""
        codes = tuple(s.code for s in self.sites) if everywhere else (self.sites[site].code,)
        return make_people(self.house, self.sites[site].code, count, sites=codes)

    def bottle(self, site: int, volume_ul: int) -> str:
        return make_bottle(
            self.house, self.sites[site].code, volume_ul=volume_ul, bottle_id=f"M-{new_id()[:8]}"
        )

    def server(self, **settings: str) -> LiveServer:
        return LiveServer(self.home, self.url, OST_LOG_LEVEL="WARNING", **settings)


@contextmanager
def network(
    engine: str, sites: int, bottle_ul: int = 100_000_000, server: ThrowawayPostgres | None = None
) -> Iterator[Network]:
    """A fresh durable database of `engine` with `sites` sites; everything is thrown away at the end."""
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="ost-drill-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        if engine == "sqlite":
            url = f"sqlite:///{home / 'ost.db'}"
        else:
            postgres = server or stack.enter_context(ThrowawayPostgres(durable=True))
            name = f"drill_{new_id()[:8]}"
            with postgres.connect() as admin:
                admin.execute(f"CREATE DATABASE {name}")
            url = postgres.url_of(name)
        keys.create(home / "keys")
        database = Database(url)
        stack.callback(database.close)
        migrate(database)
        house = House(database, keys.load(home / "keys"), demo=True)
        made = Network(house, home, url)
        for number in range(1, sites + 1):
            code = make_site(house, f"S{number:03d}", number_prefix=f"{number}")
            nurse = make_account(house, "nurse", scope=code)
            with house.work(nurse, code, "made.session") as work:
                token, _ = sessions.start(work, account=nurse.id, kind=sessions.API, device="drill")
            bottle = make_bottle(house, code, volume_ul=bottle_ul, bottle_id=f"M-{code}")
            made.sites.append(Site(code, bottle, nurse, token))
        yield made


class Client:
    """One keep-alive connection with a bearer token; no library, so that the load generator costs little."""

    def __init__(self, port: int, token: str):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: dict) -> tuple[int, dict]:
        self._connection.request("POST", f"/api/v1{path}", json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        self._connection.close()


def dose_body(patient: str, site: str, bottle: str, dose_id: str | None = None) -> dict:
    return {
        "dose_id": dose_id or new_id(),
        "patient_id": patient,
        "site": site,
        "bottle": bottle,
        "slot": 1,
        "seen": {"dose_ug": DOSE_UG, "volume_ul": VOLUME_UL},
        "identity": {"path": "number_face", "capture": None, "reason": "patient_prefers"},
        "observations": [],
    }


OUTCOME_BODY = {
    "outcome": "swallowed",
    "identity": {"path": "number_face", "capture": None, "reason": "patient_prefers"},
}
