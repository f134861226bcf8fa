"""Figures for the operator: how many, how fast, how many refused. No person in them.

Labels are endpoint names, methods, status codes and catalogue codes: closed
lists, so that nothing anybody types becomes a label.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

REGISTRY = CollectorRegistry()

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
requests = Counter(
    "ost_requests_total", "Requests answered.", ["endpoint", "method", "status"], registry=REGISTRY
)
seconds = Histogram(
    "ost_request_seconds", "Time to answer.", ["endpoint"], buckets=_SECONDS, registry=REGISTRY
)
refusals = Counter("ost_refusals_total", "Answers that said no, by code.", ["code"], registry=REGISTRY)
sign_ins = Counter("ost_sign_ins_total", "Sign-ins by how they ended.", ["ending"], registry=REGISTRY)
prints = Gauge(
    "ost_gallery_prints",
    "Prints in memory of a serving process: loaded, room for, left out for want of room, not to be opened.",
    ["what"],
    multiprocess_mode="livemax",
    registry=REGISTRY,
)
prints_bytes = Gauge(
    "ost_gallery_bytes", "Memory of the prints.", multiprocess_mode="livesum", registry=REGISTRY
)
prints_ready = Gauge(
    "ost_gallery_ready",
    "1 once every enrolled print was loaded.",
    multiprocess_mode="livemin",
    registry=REGISTRY,
)


def gallery(found) -> None:
    """Figures of a process's prints (`ost.services.gallery.PrintGallery`)."""
    prints.labels("loaded").set(len(found))
    prints.labels("most").set(found.max_templates)
    prints.labels("left_out").set(found.left_out)
    prints.labels("broken").set(len(found.broken))
    prints_bytes.set(found.memory_bytes)
    prints_ready.set(int(found.progress.ready))


def answered(endpoint: str | None, method: str, status: int, took_s: float) -> None:
    name = endpoint or "none"
    requests.labels(name, method, str(status)).inc()
    seconds.labels(name).observe(took_s)


def refused(code: str) -> None:
    refusals.labels(code).inc()


def text() -> bytes:
    """The exposition; of all serving processes together where there are several."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry)
    return generate_latest(REGISTRY)
