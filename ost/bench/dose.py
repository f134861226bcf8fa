"""`ost bench dose`: complete doses (promise and outcome) per second over HTTP on PostgreSQL, durable.

The figure is the ratio to the bare database doing the same statements in the
same run (`replay`); the rates alone say how busy the machine was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import mean, quantiles

from sqlalchemy import event

from ost.bench.cluster import ThrowawayPostgres
from ost.bench.network import DOSE_UG, OUTCOME_BODY, VOLUME_UL, Client, Network, dose_body, network
from ost.bench.replay import recorded, replay
from ost.db import Database
from ost.services import sessions
from ost.services.outcome import Ending, end
from ost.services.promise import DoseRequest, Identity, promise
from ost.services.verify import verify
from ost.services.work import House, new_id

TARGET, DEFECT = 0.15, 0.07
_FACE = Identity("number_face", None, "patient_prefers")


def bench_dose(clients: int, doses: int, tell: Callable[[str], None]) -> dict:
    """`doses`: complete doses of each client in each part. Ratios and rates; times in ms."""
    with ThrowawayPostgres(durable=True) as server, network("postgresql", clients, server=server) as made:
        tell("people and orders")
        people = [made.people(doses, number) for number in range(clients)]
        crowd = made.people(clients * doses, 0)
        _one(made.house, made, 0, made.people(1)[0])  # the policy's text is kept by the first dose ever
        tell("recording the statements of real doses")
        copies = [_copy(server, made) for _ in range(3)]
        by_client, where = _record(server, made, copies[0], people)
        tell("the bare database, before")
        before = replay(server, copies[1], by_client, made.home)
        tell(f"{clients} counters at {clients} sites over HTTP")
        many = _over_http(made, [(made.sites[n], people[n]) for n in range(clients)])
        tell("the bare database, after")
        after = replay(server, copies[2], by_client, made.home)
        tell(f"{clients} counters at one site over HTTP")
        parts = [crowd[n::clients] for n in range(clients)]
        one_site = _over_http(made, [(made.sites[0], part) for part in parts])
        report = verify(made.house)
        bare = mean((before, after))
        where["http_and_waiting_ms"] = round(max(0.0, many["p50_ms"] - sum(where.values())), 2)
        return {
            "ratio": round(many["complete_per_s"] / bare, 3),
            "complete_per_s": many["complete_per_s"],
            "bare_per_s": round(bare, 1),
            "bare_before_and_after_per_s": [round(before, 1), round(after, 1)],
            "p50_ms": many["p50_ms"],
            "p99_ms": many["p99_ms"],
            "one_site": one_site | {"ratio": round(one_site["complete_per_s"] / bare, 3)},
            "where_the_time_goes_ms": where,
            "statements_per_dose": round(mean(len(one) for client in by_client for one in client), 1),
            "clients": clients,
            "doses": many["doses"],
            "target": TARGET,
            "defect_below": DEFECT,
            "verified": report.passed,
        }


def _copy(server: ThrowawayPostgres, made: Network) -> str:
    name = f"copy_{new_id()[:8]}"
    made.house.db.close()  # a template must have no other session
    with server.connect() as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {made.house.db.url.database}")
    return name


def _one(house: House, made: Network, site: int, person: str, spans: dict | None = None) -> None:
    """One complete dose as the two requests do it, the look at the session included."""
    where, dose_id = made.sites[site], new_id()
    actor = sessions.find(house, where.token, sessions.API).actor()
    wanted = DoseRequest(
        dose_id, person, where.code, where.bottle, 1, DOSE_UG, VOLUME_UL, _FACE, intoxication=()
    )
    answer = promise(house, actor, wanted)
    if answer.state != "promised":
        raise RuntimeError(f"the bench's own dose was refused: {[r['code'] for r in answer.reasons]}")
    actor = sessions.find(house, where.token, sessions.API).actor()
    end(house, actor, Ending(dose_id, "swallowed", identity=_FACE))


def _record(server, made: Network, copy: str, people) -> tuple[list[list[list[str]]], dict]:
    """Statements of each client's doses, and the mean time of a dose inside and outside the database."""
    database = Database(server.url_of(copy))
    house = House(database, made.house.keys, demo=True)
    spent = _Spent(database)
    by_client, total = [], 0.0
    try:
        for number, persons in enumerate(people):
            one_client = []
            for person in persons:
                with recorded(database) as statements:
                    started = time.perf_counter()
                    _one(house, made, number, person)
                    total += time.perf_counter() - started
                one_client.append(statements)
            by_client.append(one_client)
    finally:
        database.close()
    count = sum(len(persons) for persons in people)
    in_database = spent.seconds * 1000 / count
    return by_client, {
        "database_ms": round(in_database, 2),
        "rules_record_and_python_ms": round(total * 1000 / count - in_database, 2),
    }


class _Spent:
    """Seconds inside statements and commits of one engine."""

    def __init__(self, database: Database):
        self.seconds = 0.0
        engine = database.engine
        event.listen(engine, "before_cursor_execute", self._start)
        event.listen(engine, "after_cursor_execute", self._stop)
        # The commit is where a durable write waits for the disk; the dialect's call is all of it.
        dialect_commit = engine.dialect.do_commit

        def commit(connection):
            started = time.perf_counter()
            dialect_commit(connection)
            self.seconds += time.perf_counter() - started

        engine.dialect.do_commit = commit

    def _start(self, *_):
        self._at = time.perf_counter()

    def _stop(self, *_):
        self.seconds += time.perf_counter() - self._at


def _over_http(made: Network, work: list[tuple]) -> dict:
    """All clients let go at one moment; rate over the whole, latencies per complete dose."""
    server = made.server(OST_PROCESSES="2", OST_THREADS=str(max(4, len(work) // 2))).start()
    times: list[float] = []
    gate = threading.Barrier(len(work) + 1)

    def client(site, persons) -> None:
        connection = Client(server.port, site.token)
        connection.post("/doses", {})  # a warm connection: the refusal of an empty body costs no dose
        gate.wait()
        for person in persons:
            body = dose_body(person, site.code, site.bottle)
            started = time.perf_counter()
            for path, sent, right in (
                ("/doses", body, 201),
                (f"/doses/{body['dose_id']}/outcome", OUTCOME_BODY, 200),
            ):
                status, answer = connection.post(path, sent)
                if status != right:
                    raise RuntimeError(f"{path} answered {status}: {answer}")
            times.append(time.perf_counter() - started)
        connection.close()

    try:
        with ThreadPoolExecutor(len(work)) as pool:
            running = [pool.submit(client, *one) for one in work]
            gate.wait()
            started = time.perf_counter()
            for one in running:
                one.result()
            seconds = time.perf_counter() - started
    finally:
        server.stop()
    cuts = quantiles(times, n=100)
    return {
        "doses": len(times),
        "complete_per_s": round(len(times) / seconds, 1),
        "p50_ms": round(cuts[49] * 1000, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
    }
