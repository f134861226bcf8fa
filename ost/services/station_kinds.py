"""What a station's touches can be for: kind of task to the function that looks at a touch of it."""

from __future__ import annotations

from types import MappingProxyType

from ost.services import enrol_at_reader
from ost.services.station_task import ENROL

HANDLERS = MappingProxyType(
    {
        ENROL: enrol_at_reader.take,
    }
)
