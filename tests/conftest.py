"""What every test may ask for; the fixtures themselves are in tests/plugins, one subject per file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from hypothesis import HealthCheck, settings

from ost.bench.cluster import memory_folder

pytest_plugins = [
    "tests.plugins.no_skips",
    "tests.plugins.databases",
    "tests.plugins.houses",
    "tests.plugins.servers",
    "tests.plugins.browser",
    "tests.plugins.clients",
]

ROOT = Path(__file__).resolve().parent.parent

# Databases are copied, written and thrown away by the thousand: in memory, where there is room, unless told otherwise.
if quick := memory_folder():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", quick)
SHARED_DATA = ROOT.parent / "shared" / "data"
NO_SHARED_DATA = "The shared recordings are not beside this checkout: put them at ../shared/data to run this test."

# Tests start from the defaults, not from the settings of whoever runs them.
for name in [name for name in os.environ if name.startswith("OST_")]:
    del os.environ[name]

# A shared machine is slow at times: speed is measured by `ost bench`, never by a property's deadline.
settings.register_profile("ost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("ost"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "ost")


@pytest.fixture
def shared_data() -> Path:
    """Recordings that are not part of the repository; the only thing whose absence may skip a test."""
    if not SHARED_DATA.is_dir():
        pytest.skip(NO_SHARED_DATA)
    return SHARED_DATA


@pytest.fixture
def clock():
    """Stops the clock on Tuesday 10 March 2026, 08:10 in Taipei; `clock.shift(seconds or timedelta)`, `clock.move_to(instant)`."""
    with time_machine.travel(datetime(2026, 3, 10, 0, 10, tzinfo=UTC), tick=False) as traveller:
        yield traveller
