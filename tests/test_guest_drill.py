"""The guest drill, small: it passes, and it fails when what it watches over is broken."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import keys
from ost.db import Database
from ost.drills.guest import checks, dosing, events, run
from ost.drills.guest.world import FIRST_DAY, agree, populate
from ost.models import guest
from ost.rules import guest as rules
from ost.services.guest import ask, standing
from ost.services.guest.ask import Wanted
from ost.services.guest.countersign import beforehand
from ost.services.guest.standing import Allowed
from ost.services.work import House, new_id

pytestmark = pytest.mark.drill


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_drill_passes_and_counts_what_it_says(engine):
    done = run.guest((engine,), patients=16, sites=4, days=3, tell=lambda _: None, seed=11)
    assert done["passed"] is True, done[engine]["wrong"]
    seen = done[engine]
    assert seen["verified"] is True
    assert seen["checked"] >= 3 * 5
    assert seen["events"]["home swallowed"] > 16
    assert seen["events"]["race for the last place"] > 0
    assert sum(n for what, n in seen["events"].items() if what.startswith("asked")) > 0


@pytest.fixture
def country(databases):
    """Two people with a permit each for today and tomorrow, at one place of a site."""
    with databases.clone("sqlite") as url:
        house = House(Database(url), keys.ephemeral(), demo=True)
        made = populate(house, patients=4, sites=3, days=5, seed=5, standing_share=0)
        made.clock.set(FIRST_DAY, 7)
        person, site = made.people[0], "S002"
        home = made.home_desk(person)
        assert home.code != site
        until = FIRST_DAY + timedelta(days=20)
        agree(made, person, until)
        standing.grant(made.house, home.prescriber, Allowed(person, 30, until, anywhere=True))
        beforehand(made.house, made.desks[site].prescriber, person, site, until)
        made.desks[site].places = 6
        wanted = Wanted(new_id(), person, site, (FIRST_DAY, FIRST_DAY + timedelta(days=1)), by_role=rules.PATIENT)
        said = ask.ask(made.house, made.me(person), wanted)
        if said.state == rules.APPROVED:
            from ost.services.guest.answer import accept

            said = accept(made.house, made.desks[site].nurse, said.request_id)
        assert said.state == rules.CONFIRMED, said
        yield made, person, site, said
        made.house.db.close()


def wrong(made) -> list[str]:
    story = events.Story(made, dosing.Seen(), Counter())
    run.look(story, whole=True)
    return story.seen.wrong


def unprotected(made, *statements: str, **values) -> None:
    """As somebody with the file in hand: triggers gone, keys off."""
    connection = made.house.db.engine.connect()
    raw = connection.connection.dbapi_connection
    raw.execute("PRAGMA foreign_keys=OFF")
    raw.execute("PRAGMA ignore_check_constraints=ON")
    for name in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(sa.text(statement), values).rowcount > 0, statement
    connection.commit()
    connection.close()


def test_nothing_is_wrong_to_begin_with(country):
    made, *_ = country
    assert wrong(made) == []


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("no order covers", "UPDATE prescription SET ends_on = '2026-03-01' WHERE patient = :person"),
        ("not in treatment", "UPDATE patient SET active = 0 WHERE id = :person"),
        ("does not give this", "UPDATE guest_site SET listed = 0 WHERE site = :site"),
        ("does not give this", "UPDATE site SET medicines = '[\"buprenorphine\"]' WHERE id = :site"),
        ("no consent stands", "UPDATE consent SET until = '2026-03-01' WHERE patient = :person"),
        ("from nowhere", "UPDATE guest_step SET from_state = 'declined' WHERE number = 2"),
        ("by patient", "UPDATE guest_step SET by_role = 'patient' WHERE action = 'authorise'"),
        ("not its last step", "UPDATE guest_head SET step = 9"),
    ],
)  # fmt: skip
def test_each_broken_fact_is_seen(country, what, statement):
    made, person, site, _ = country
    names = {name: value for name, value in {"person": person, "site": site}.items() if f":{name}" in statement}
    unprotected(made, statement, **names)
    found = wrong(made)
    assert found, statement
    if what not in ("from nowhere",):
        assert any(what in each for each in found), found


def test_a_second_permit_for_the_same_day_is_seen(country):
    made, *_ = country
    unprotected(
        made,
        "INSERT INTO guest_request SELECT 'copy', number + 100, patient, home_site, site, kind, days, orders, reason,"
        " consent, closure, replaces, distance_m, content_digest, by, by_role, at FROM guest_request",
        "INSERT INTO guest_permit (id, request, patient, home_site, site, orders, first_day, last_day, policy, at)"
        " SELECT 'copy', 'copy', patient, home_site, 'S003', orders, first_day, last_day, policy, at FROM guest_permit",
        "INSERT INTO permit_day SELECT 'copy', day, number FROM permit_day",
        "INSERT INTO guest_head (request, patient, home_site, site, state, waits_for, step, since, asked_at, first_day,"
        " last_day, permit) SELECT 'copy', patient, home_site, 'S003', state, waits_for, step, since, asked_at,"
        " first_day, last_day, 'copy' FROM guest_head",
    )
    assert any("bound twice" in each for each in wrong(made))


def test_more_places_than_there_are_is_seen(country):
    made, _, site, _ = country
    made.desks[site].places = 0
    assert any("of 0" in each for each in wrong(made))


def test_a_guest_dose_without_its_line_or_permit_is_seen(country):
    made, person, site, _ = country
    seen = dosing.Seen()
    assert dosing.give(made, seen, person, made.desks[site]) == "swallowed"
    assert wrong(made) == []
    with made.house.read() as tx:
        assert checks.attended(tx) == 1
    unprotected(made, "UPDATE dose_attempt SET permit = NULL WHERE patient = :person", person=person)
    assert any("has no permit" in each for each in wrong(made))


def test_two_sites_that_would_dose_are_seen(country, monkeypatch):
    """A decision that looks at no permit: the drill's own look at three sites sees it."""
    made, person, site, _ = country
    seen = dosing.Seen()
    dosing.only_one_may(made, seen, person, made.home_desk(person), made.desks[site])
    assert seen.wrong == []

    class Gives:
        verdict = "give"

    monkeypatch.setattr(dosing, "look", lambda *_: Gives())
    dosing.only_one_may(made, seen, person, made.home_desk(person), made.desks[site])
    assert len(seen.wrong) == 1


def test_the_places_of_the_story_are_real(country):
    made, person, site, said = country
    with made.house.read() as tx:
        rows = tx.execute(sa.select(guest.guest_place)).all()
    assert {(r.site, r.patient, r.request) for r in rows} == {(site, person, said.request_id)}
    assert len(rows) == 2
