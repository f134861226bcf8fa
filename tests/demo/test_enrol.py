"""The rest of the fingers: in order, stopped and gone on with, and the progress told truly."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ost.demo import enrol
from ost.models import patient
from ost.services.enrol_progress import enrol_progress
from ost.services.verify import verify


@pytest.fixture
def demo(demo):
    """Of all people only four are still treated: a print takes half a second."""
    p = patient.patient
    stay = ("H-0001", "H-0002", "T-0001", "K-0001")
    with demo.house.db.begin() as tx:
        tx.execute(sa.update(p).where(p.c.number.not_in(stay)).values(active=False))
    return demo


def numbers(demo, ids):
    p = patient.patient
    with demo.house.read() as tx:
        found = {r.id: r.number for r in tx.execute(sa.select(p.c.id, p.c.number))}
    return [found[i] for i in ids]


def test_the_main_sites_come_first_and_a_stop_loses_nothing(demo, tmp_path):
    assert numbers(demo, enrol.waiting(demo.house)) == ["H-0001", "H-0002", "T-0001", "K-0001"]
    assert not enrol_progress(demo.house, "HUA1").complete

    told = []
    done = enrol.enrol_rest(demo.house, tmp_path, go_on=lambda: len(told) < 1, tell=lambda *n: told.append(n))
    assert done == 1
    assert told == [(1, 4)]
    assert numbers(demo, enrol.waiting(demo.house)) == ["H-0002", "T-0001", "K-0001"]
    progress = enrol_progress(demo.house, "HUA1")
    assert (progress.enrolled, progress.total, progress.site_enrolled, progress.site_total) == (1, 4, 1, 2)

    assert enrol.enrol_rest(demo.house, tmp_path, go_on=lambda: True) == 3
    assert enrol.waiting(demo.house) == []
    assert enrol_progress(demo.house).complete
    assert verify(demo.house).problems == []


def test_two_at_once_do_nothing_twice(demo, tmp_path):
    def second():
        assert enrol.enrol_rest(demo.house, tmp_path, go_on=lambda: True) == 0
        return False

    assert enrol.enrol_rest(demo.house, tmp_path, go_on=second) == 0
