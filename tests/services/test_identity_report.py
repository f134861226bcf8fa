"""How often each way worked and failed: counted from the record, small counts hidden, months whole for outsiders."""

from __future__ import annotations

from datetime import date

import pytest

from ost.errors import Refusal
from ost.models.identity import identity_try
from ost.models.reader import capture_measure, reader
from ost.models.station import capture, identity_evidence
from ost.services.identity_report import month_of, report
from ost.services.work import Actor, new_id
from tests.make import make_account, make_clinic, make_patient, make_site

READER, SECOND_READER = "reader-one", "reader-two"


@pytest.fixture
def clinic(house):
    clinic = make_clinic(house, came_yesterday=False)
    make_site(house, "TPE1", "TPE")
    return clinic


@pytest.fixture
def admin(house, clinic):
    return make_account(house, "admin")


class Book:
    """Writes what touches and tries leave: `touches(12, finger="right_index")`, `tries("card", 3, "refused")`."""

    def __init__(self, house, clinic):
        from tests.touch import make_station

        self.house, self.patient = house, clinic.patient
        self.station = make_station(house, clinic.counter)
        with house.db.begin() as tx:
            for name in (READER, SECOND_READER):
                values = {"state": "ready", "first_seen_at": house.now(), "seen_at": house.now(), "simulated": True}
                made = {"id": name, "station": self.station.id, "site": "HUA1", "name": name, "kind": "simulated"}
                tx.execute(reader.insert().values(**made, **values, gives="image", modality="finger"))

    def touches(self, count, result="shown", device=READER, finger="right_index", tries=1, site="HUA1"):
        named = result in ("shown", "confirmed")
        with self.house.work(Actor("test"), site, "test.touches") as work:
            for _ in range(count):
                row = self._capture(work, site, result, named)
                if device:
                    found = {"capture": row, "reader": device, "site": site, "finger": finger if named else None}
                    work.add(capture_measure, **found, tries=tries, at=work.now)
                if named:
                    self._evidence(work, site, "finger", row)

    def _capture(self, work, site, result, named):
        row = new_id()
        values = {"sample_digest": "0" * 64, "reader_kind": "simulated", "simulated": True, "ending": "captured"}
        answer = f'{{"capture":"{row}","code":null,"result":"{result}"}}'
        work.add(
            capture, id=row, station=self.station.id, site=site, nonce=row, answer=answer, at=work.now,
            patient=self.patient if named else None, **values,
        )  # fmt: skip
        return row

    def _evidence(self, work, site, path, row=None, reason=None):
        evidence = new_id()
        work.add(
            identity_evidence, id=evidence, patient=self.patient, site=site, purpose="arrival", path=path, capture=row,
            reason=reason, at=work.now,
        )  # fmt: skip
        return evidence

    def tries(self, path, count, result="shown", site="HUA1", reason=None):
        with self.house.work(Actor("test"), site, "test.tries") as work:
            for _ in range(count):
                shown = self._evidence(work, site, path, reason=reason) if result == "shown" else None
                work.add(
                    identity_try, id=new_id(), site=site, counter="HUA1-1", path=path, purpose="arrival", result=result,
                    reason=reason, evidence=shown, account="test", at=work.now,
                )  # fmt: skip


@pytest.fixture
def book(house, clinic):
    return Book(house, clinic)


def test_each_way_is_counted_as_it_went(house, clinic, admin, book):
    book.touches(20)
    book.touches(6, "again")
    book.touches(5, "nobody", device=SECOND_READER)
    book.touches(10, device=SECOND_READER, finger="left_thumb", tries=2)
    book.tries("card", 30)
    book.tries("card", 6, "refused")
    book.tries("number_face", 8)
    book.tries("number_face", 7, reason="offered_after_touch")  # the touch called, the face decided: the finger's
    found = report(house, admin).by_site["HUA1"]
    assert (found["finger"].worked, found["finger"].failed) == (37, 11)
    assert (found["card"].worked, found["card"].failed) == (30, 6)
    assert found["card"].share == pytest.approx(100 * 6 / 36)
    by_reader = {name.name: (line.worked, line.failed) for name, line in report(house, admin).by_reader}
    assert by_reader[READER][0] == 20 and by_reader[SECOND_READER][0] == 10
    fingers = {name: (line.worked, line.failed) for name, line in report(house, admin).by_finger}
    assert fingers["left_thumb"] == (10, 10)  # each of them took one touch more


def test_what_is_below_five_is_not_shown_nor_to_be_worked_out(house, clinic, admin, book):
    """A second reader that three people used, and what hides it."""
    book.touches(40)
    book.touches(3, device=SECOND_READER)
    book.tries("card", 4)
    made = report(house, admin)
    by_reader = {name.name: line.worked for name, line in made.by_reader}
    assert by_reader == {READER: None, SECOND_READER: None}
    assert made.by_site["HUA1"]["finger"].worked == 43
    # One site: its count is the total, and both are hidden.
    assert made.by_site["HUA1"]["card"].worked is None and made.overall["card"].worked is None
    assert made.n is None
    shown = [line.worked for line in made.overall.values()] + [line.failed for line in made.overall.values()]
    assert all(n is None or n >= 5 for n in shown)


def test_two_sites_do_not_give_each_other_away(house, clinic, book):
    both = make_account(house, "health_department_reader", scope="*", scope_kind="network")
    book.tries("card", 60)
    book.tries("card", 2, site="TPE1")
    inside = make_account(house, "admin")
    month = report(house, inside).month
    assert month not in report(house, both).months
    with house.db.begin():
        pass
    import dataclasses

    later = dataclasses.replace(house, now=lambda: house.now().replace(year=house.now().year + 1), memo={})
    made = report(later, both, month)
    assert made.month == month
    assert made.by_site["TPE1"]["card"].worked is None
    assert made.by_site["HUA1"]["card"].worked is None, "62 - 60 would give it away"
    assert made.overall["card"].worked == 62


def test_outsiders_see_whole_months_only(house, clinic, admin):
    outsider = make_account(house, "health_department_reader", scope="HUA", scope_kind="county")
    running = report(house, admin).month
    seen = report(house, outsider)
    assert running not in seen.months
    assert report(house, outsider, running).month == seen.months[0] < running
    assert seen.months == tuple(sorted(seen.months, reverse=True))


def test_a_site_sees_itself_and_a_stranger_to_it_nothing(house, clinic, admin):
    assert set(report(house, admin).by_site) == {"HUA1"}
    for actor in (clinic.nurse, make_account(house, "pharmacist"), Actor("nobody")):
        with pytest.raises(Refusal, match="not_permitted"):
            report(house, actor)


def test_nobody_is_named(house, clinic, admin, book):
    book.touches(20)
    book.tries("card", 20)
    other = make_patient(house)
    assert clinic.patient not in repr(report(house, admin)) and other not in repr(report(house, admin))


@pytest.mark.parametrize(("text", "month"), [("2026-03", date(2026, 3, 1)), ("", None), ("2026-13", None), ("x", None)])
def test_months_as_they_are_written(text, month):
    assert month_of(text) == month
