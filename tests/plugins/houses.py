"""The House that services are given, on each database, with keys of its own."""

from __future__ import annotations

import pytest

from ost import keys
from ost.services.work import House


@pytest.fixture
def house(database) -> House:
    """A House on a fresh database of each kind; `demo=True`, as a simulated reader needs it."""
    return House(database, keys.ephemeral(), policy_name="tw", demo=True)
