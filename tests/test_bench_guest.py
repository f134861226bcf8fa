"""The bench of guest dosing, small: everybody is confirmed with a pass, everybody of the closed site is placed."""

from __future__ import annotations

import pytest

from ost.bench.guest import bench_guest


@pytest.mark.drill
def test_every_request_is_confirmed_and_every_person_placed():
    said = bench_guest(sites=4, people=14, requests=4, closing=5, clients=2, tell=lambda _: None)
    assert (said["requests"], said["confirmed"], said["passes"]) == (4, 4, 4)
    assert (said["closure_moved"], said["closure_nowhere"]) == (5, 0)
    assert said["verified"] is True and said["problems"] == 0
    assert {"p50_ms", "p95_ms", "alternatives_p95_ms", "closure_preview_s", "closure_confirm_s"} <= said.keys()
