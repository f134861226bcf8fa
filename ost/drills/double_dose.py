"""`ost drill double-dose`: can anything make it dose twice, or lose a promise?

Through HTTP against a real server, on both engines: 64 requests for one slot
from two sites at once; 20 people and a bottle of exactly three doses; and a
server killed (-9) at random moments and started again.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from ost.bench.network import OUTCOME_BODY, VOLUME_UL, Client, Network, dose_body, network
from ost.models import dose, stock
from ost.services.verify import verify

CUT = (OSError, http.client.HTTPException, ValueError)


def double_dose(
    engines: tuple[str, ...], requests: int, kills: int, tell: Callable[[str], None], seed: int | None = None
) -> dict:
    """{"passed", "seed", engine: {"same_slot", "last_bottle", "killed"}}; each part has its counts."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    result: dict = {"seed": seed}
    for engine in engines:
        with network(engine, sites=2) as made:
            tell(f"{engine}: {requests} requests for one slot from two sites")
            same = same_slot(made, requests)
            tell(f"{engine}: 20 people, a bottle of exactly three doses")
            last = last_bottle(made)
            tell(f"{engine}: {kills} times killed and restarted")
            killed = killed_and_restarted(made, kills, random.Random(seed))
            result[engine] = {"same_slot": same, "last_bottle": last, "killed": killed}
    result["passed"] = all(part["passed"] for engine in engines for part in result[engine].values())
    return result


def _at_once(made: Network, port: int, bodies: list[tuple[dict, str]]) -> list[tuple[int, dict]]:
    """Every request on a connection of its own, all let go at one moment."""
    gate = threading.Barrier(len(bodies))

    def send(pair):
        body, token = pair
        client = Client(port, token)
        gate.wait()
        try:
            return client.post("/doses", body)
        finally:
            client.close()

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(send, bodies))


def same_slot(made: Network, requests: int) -> dict:
    person = made.people(1, everywhere=True)[0]
    server = made.server().start()
    try:
        bodies = []
        for number in range(requests):
            site = made.sites[number % 2]
            bodies.append((dose_body(person, site.code, site.bottle), site.token))
        answers = _at_once(made, server.port, bodies)
    finally:
        server.stop()
    promised = [a for status, a in answers if status == 201]
    refused = [a for status, a in answers if status == 409]
    right = [a for a in refused if "attempt_unresolved" in {r["code"] for r in a["reasons"]}]
    report = verify(made.house)
    return {
        "requests": requests,
        "promised": len(promised),
        "refused": len(refused),
        "refused_with_the_true_reason": len(right),
        "attempts_in_database": _attempts(made, [person]),
        "verified": report.passed,
        "passed": len(promised) == 1
        and len(right) == requests - 1
        and _attempts(made, [person]) == 1
        and report.passed,
    }


def last_bottle(made: Network) -> dict:
    people = made.people(20)
    site = made.sites[0]
    bottle = made.bottle(0, 3 * VOLUME_UL)
    server = made.server().start()
    try:
        answers = _at_once(made, server.port, [(dose_body(p, site.code, bottle), site.token) for p in people])
    finally:
        server.stop()
    promised = [a for status, a in answers if status == 201]
    empty = [
        a
        for status, a in answers
        if status == 409 and "bottle_not_enough" in {r["code"] for r in a["reasons"]}
    ]
    with made.house.read() as tx:
        left = tx.execute(
            sa.select(stock.bottle.c.balance_ul).where(stock.bottle.c.id == bottle)
        ).scalar_one()
    report = verify(made.house)
    return {
        "people": len(people),
        "promised": len(promised),
        "refused_for_the_bottle": len(empty),
        "left_ul": left,
        "verified": report.passed,
        "passed": (len(promised), len(empty), left) == (3, 17, 0) and report.passed,
    }


def killed_and_restarted(made: Network, kills: int, chance: random.Random) -> dict:
    """Eight counters work while the server is killed; then every acknowledged answer is looked for."""
    acknowledged: dict[str, str] = {}  # dose id -> patient, answered 201
    ended: set[str] = set()  # dose ids whose outcome was answered 200
    tried: dict[str, str] = {}
    lock = threading.Lock()
    people: list[str] = []
    for _ in range(kills):
        fresh = made.people(160)
        people += fresh
        server = made.server().start()
        todo = iter(fresh)

        def counter(number: int, port: int = server.port, todo=todo) -> None:
            site = made.sites[0]
            client = Client(port, site.token)
            try:
                while True:
                    with lock:
                        person = next(todo, None)
                    if person is None:
                        return
                    body = dose_body(person, site.code, site.bottle)
                    tried[body["dose_id"]] = person
                    status, answer = client.post("/doses", body)
                    if status != 201:
                        raise AssertionError(answer)
                    acknowledged[body["dose_id"]] = person
                    status, answer = client.post(f"/doses/{body['dose_id']}/outcome", OUTCOME_BODY)
                    if status != 200:
                        raise AssertionError(answer)
                    ended.add(body["dose_id"])
            except CUT:
                return  # the plug was pulled; what was answered before stays in the lists
            finally:
                client.close()

        with ThreadPoolExecutor(8) as pool:
            working = [pool.submit(counter, n) for n in range(8)]
            # By work done, not by the clock: a slow machine is killed in the middle too.
            enough, before = chance.randint(5, 90), len(acknowledged)
            while len(acknowledged) - before < enough and not all(one.done() for one in working):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.05))
            server.kill()
            for one in working:
                one.result()
    return _after_the_kills(made, people, tried, acknowledged, ended, kills)


def _after_the_kills(made: Network, people, tried, acknowledged, ended, kills) -> dict:
    a, o = dose.dose_attempt, dose.dose_outcome
    with made.house.read() as tx:
        attempts = {
            r.id: r
            for r in tx.execute(
                sa.select(a.c.id, a.c.patient, o.c.outcome)
                .join_from(a, o, o.c.attempt == a.c.id, isouter=True)
                .where(a.c.id.in_(list(tried)))
            )
        }
    lost = [d for d in acknowledged if d not in attempts]
    lost_outcomes = [d for d in ended if d in attempts and attempts[d].outcome != "swallowed"]
    twice = len(attempts) - len({r.patient for r in attempts.values()})
    open_doses = [r for r in attempts.values() if r.outcome is None]
    site = made.sites[0]
    blocked = 0
    server = made.server().start()
    try:
        client = Client(server.port, site.token)
        for row in open_doses:
            status, answer = client.post("/doses", dose_body(row.patient, site.code, site.bottle))
            codes = {r["code"] for r in answer.get("reasons", ())}
            blocked += status == 409 and "attempt_unresolved" in codes
        client.close()
    finally:
        server.stop()
    report = verify(made.house)
    return {
        "kills": kills,
        "promises_acknowledged": len(acknowledged),
        "promises_lost": len(lost),
        "outcomes_acknowledged": len(ended),
        "outcomes_lost": len(lost_outcomes),
        "dosed_twice": twice,
        "interrupted_not_known": len(open_doses),
        "interrupted_that_block": blocked,
        "verified": report.passed,
        "problems": report.problems[:5],
        "passed": not lost
        and not lost_outcomes
        and not twice
        and blocked == len(open_doses)
        and len(acknowledged) > 0
        and report.passed,
    }


def _attempts(made: Network, people: list[str]) -> int:
    a = dose.dose_attempt
    with made.house.read() as tx:
        return tx.execute(sa.select(sa.func.count()).where(a.c.patient.in_(people))).scalar_one()
