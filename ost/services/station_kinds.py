"""What a station's touches can be for: kind of task to the function that looks at a touch of it."""

from __future__ import annotations

from types import MappingProxyType

from ost.services import enrol_at_reader, evaluate_at_station
from ost.services.station_task import ENROL, EVALUATE

HANDLERS = MappingProxyType(
    {
        ENROL: enrol_at_reader.take,
        EVALUATE: evaluate_at_station.take,
    }
)
