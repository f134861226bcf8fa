"""`ost bench guest`: from POST to a confirmed pass over HTTP on PostgreSQL, in a network of the country's size.

The patients measured have a standing authorisation, a consent and the guest
site's signature for their orders; everything else is decided in the request.
Also: the search for other places, and a site with many patients that closes.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from statistics import quantiles

import sqlalchemy as sa

from ost import canonical, clock
from ost.bench.cluster import ThrowawayPostgres
from ost.bench.makers import MAKER, TZ, make_account, make_guest_site, make_people
from ost.bench.network import Client, Network, network
from ost.models import guest, lookup, opening, portal
from ost.models.prescription import prescription
from ost.services.closures.declare import Declared, declare
from ost.services.closures.preview import preview
from ost.services.closures.wanted import Wanted
from ost.services.verify import verify
from ost.services.work import new_id

TARGET_P95_MS, TARGET_PREVIEW_S, TARGET_CONFIRM_S = 500, 2.0, 5.0
PLACES = 20
#: Taiwan, roughly: sites lie on a grid over it.
SOUTH_WEST, NORTH_EAST = (22_000_000, 120_100_000), (25_200_000, 121_900_000)


def bench_guest(
    sites: int, people: int, requests: int, closing: int, clients: int, tell: Callable[[str], None]
) -> dict:
    """`requests` instant ones by `clients` at once; `closing`: patients of the site that closes. Times in ms and s."""
    with ThrowawayPostgres(durable=True) as server, network("postgresql", sites, server=server) as made:
        tell(f"{sites} sites and {people} people")
        home, ready = _furnish(made, people, closing, requests)
        today = clock.dosing_day(made.house.now(), TZ)
        live = made.server(OST_PROCESSES="1" if clients < 4 else "2", OST_THREADS=str(max(4, clients))).start()
        try:
            tell(f"{requests} requests by {clients} at once")
            instant = _ask(made, live.port, home, ready, clients, today)
            tell("other places")
            elsewhere = _alternatives(made, live.port, home, today, max(5, requests // 4))
        except RuntimeError:
            tell(live.log()[-3000:])
            raise
        finally:
            live.stop()
        tell(f"a site with {closing} patients closes")
        closure = _close(made, today)
        tell("verifying")
        report = verify(made.house)
        return {
            **instant,
            "alternatives_p50_ms": elsewhere[0],
            "alternatives_p95_ms": elsewhere[1],
            **closure,
            "sites": sites,
            "people": people,
            "clients": clients,
            "target_p95_ms": TARGET_P95_MS,
            "target_preview_s": TARGET_PREVIEW_S,
            "target_confirm_s": TARGET_CONFIRM_S,
            "verified": report.passed,
            "problems": len(report.problems),
        }


def _furnish(made: Network, people: int, closing: int, requests: int) -> tuple[int, list[tuple[str, int]]]:
    """Every site takes guests; site 0 has the `closing` patients, site 1 those who ask. (1, [(patient, site)])."""
    across = math.ceil(math.sqrt(len(made.sites)))
    for number, site in enumerate(made.sites):
        row, column = divmod(number, across)
        lat, lon = (
            low + (high - low) * part // across
            for low, high, part in zip(SOUTH_WEST, NORTH_EAST, (row, column), strict=True)
        )
        make_guest_site(made.house, site.code, lat, lon, PLACES, PLACES, last_dose="23:30", closes="23:59")
    rest = max(0, people - closing - requests)
    others = range(2, len(made.sites))
    for number in others:
        share = rest // len(others) + (number - 2 < rest % len(others))
        if share:
            make_people(made.house, made.sites[number].code, share)
    make_people(made.house, made.sites[0].code, closing)
    asking = make_people(made.house, made.sites[1].code, requests)
    # Spread over the other sites, so that nobody is refused for a full one.
    ready = [(person, 2 + number % (len(made.sites) - 2)) for number, person in enumerate(asking)]
    _said_beforehand(made, ready)
    return 1, ready


def _said_beforehand(made: Network, ready: list[tuple[str, int]]) -> None:
    """A consent, a standing authorisation and the guest prescriber's signature for each of them."""
    home, until = made.sites[1].code, made.house.now().date() + timedelta(days=60)
    with made.house.work(MAKER, home, "made.beforehand") as work:
        query = sa.select(prescription.c.patient, prescription.c.id).where(prescription.c.site == home)
        orders = dict(work.tx.execute(query).tuples().all())
        common = {"by": MAKER.id, "at": work.now}
        consents = [
            {"id": new_id(), "patient": p, "kind": "guest_dosing", "until": until, "site": home, **common}
            for p, _ in ready
        ]
        work.add_many(lookup.consent, consents)
        anywhere = canonical.text({"anywhere": True})
        work.add_many(portal.consent_scope, [{"consent": c["id"], "scope": anywhere} for c in consents])
        allowed = {"sites": "[]", "anywhere": True, "days_a_year": 30, "until": until, "site": home, **common}
        work.add_many(
            guest.standing_authorisation, [{"id": new_id(), "patient": p, **allowed} for p, _ in ready]
        )
        work.add_many(
            guest.guest_countersign,
            [
                {
                    "id": new_id(),
                    "patient": p,
                    "site": made.sites[n].code,
                    "orders": canonical.text([orders[p]]),
                    "until": until,
                    **common,
                }
                for p, n in ready
            ],
        )


def _body(person: str, site: str, days: list[date]) -> dict:
    return {
        "request_id": new_id(),
        "patient_id": person,
        "site": site,
        "days": [day.isoformat() for day in days],
        "reason": "work",
    }


def _ask(made: Network, port: int, home: int, ready: list[tuple[str, int]], clients: int, today: date) -> dict:
    token, days = made.sites[home].token, [today + timedelta(days=n) for n in (1, 2)]
    parts = [ready[n::clients] for n in range(clients)]
    times: list[float] = []
    answers: list[dict] = []
    gate = threading.Barrier(clients)

    def client(part) -> None:
        connection = Client(port, token)
        # A warm connection to a server that has read its policies: looking books nothing.
        for person, number in part[:3]:
            connection.post("/guest-requests/look", _body(person, made.sites[number].code, days))
        gate.wait()
        for person, number in part:
            body = _body(person, made.sites[number].code, days)
            started = time.perf_counter()
            status, answer = connection.post("/guest-requests", body)
            times.append(time.perf_counter() - started)
            if status != 201:
                raise RuntimeError(f"the bench's own request was answered {status}: {answer}")
            answers.append(answer)
        connection.close()

    with ThreadPoolExecutor(clients) as pool:
        for each in [pool.submit(client, part) for part in parts]:
            each.result()
    permits = [a["permit"] for a in answers if a["state"] == "confirmed"]
    with made.house.read() as tx:
        p = guest.guest_pass
        live = sa.select(sa.func.count()).where(p.c.permit.in_(permits), p.c.revoked_at.is_(None))
        passes = tx.execute(live).scalar()
    p50, p95 = _cuts(times)
    return {"p50_ms": p50, "p95_ms": p95, "requests": len(answers), "confirmed": len(permits), "passes": passes}


def _alternatives(made: Network, port: int, home: int, today: date, times: int) -> tuple[float, float]:
    """Looking at a full site on three days: what stands against it, and where else there is room."""
    full = made.sites[2].code
    with made.house.db.begin() as tx:
        hours = opening.site_hours
        tx.execute(sa.update(hours).where(hours.c.site == full).values(places=0, at_once=0))
    (person,) = make_people(made.house, made.sites[home].code, 1)
    days = [today + timedelta(days=n) for n in (3, 4, 5)]
    agreed = {"consent": {"until": days[-1].isoformat(), "anywhere": True}}
    connection = Client(port, made.sites[home].token)
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        status, answer = connection.post("/guest-requests/look", _body(person, full, days) | agreed)
        taken.append(time.perf_counter() - started)
        if status != 200 or not answer["alternatives"]:
            raise RuntimeError(f"no other place was named: {status} {answer}")
    connection.close()
    return _cuts(taken)


def _close(made: Network, today: date) -> dict:
    """The first site closes for a day: previewed and confirmed by the services, as its page does."""
    actor = make_account(made.house, "coordinator", scope="*", scope_kind="network")
    wanted = Wanted(days=(today + timedelta(days=1),), reason="typhoon", sites=(made.sites[0].code,))
    started = time.perf_counter()
    shown = preview(made.house, actor, wanted)
    seen = time.perf_counter()
    done = declare(made.house, actor, wanted, shown.digest)
    confirmed = time.perf_counter()
    if not isinstance(done, Declared):
        raise RuntimeError("the closure changed between its preview and its confirmation")
    return {
        "closure_preview_s": round(seen - started, 2),
        "closure_confirm_s": round(confirmed - seen, 2),
        "closure_moved": done.moved,
        "closure_nowhere": done.nowhere,
    }


def _cuts(seconds: list[float]) -> tuple[float, float]:
    cuts = quantiles(seconds, n=20, method="inclusive")
    return round(cuts[9] * 1000, 1), round(cuts[18] * 1000, 1)
