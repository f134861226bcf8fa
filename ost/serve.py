"""The serving process: gunicorn inside this program, with our log and our one-server lock.

Checks everything before it forks, so that what is wrong is one sentence and
not a worker that dies again and again.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
from pathlib import Path

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from config.settings import Settings
from ost import keys, log, startup
from ost.db import Database
from ost.services.gallery import gallery_of
from ost.services.work import House


class QuietLogger(Logger):
    """gunicorn's words go the way of ours: combed, and without a line per request of its own."""

    def setup(self, cfg) -> None:
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.disabled = True

    def access(self, *args, **kwargs) -> None:
        return

    def reopen_files(self) -> None:
        return


class Server(BaseApplication):
    def __init__(self, settings: Settings, options: dict):
        self.settings = settings
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self):
        from ost import metrics  # not before the folder its processes share is known
        from ost.app import create_app

        app = create_app(self.settings)
        house = app.extensions["ost"].house
        # Each worker loads the prints and compiles the matcher beside its first requests, not in them.
        prints = gallery_of(house)
        prints.tell = metrics.gallery
        prints.warm_up(house)
        return app


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop. Raises startup.NotReady or keys.KeysMissing before anything listens."""
    log.configure(settings.log_level, settings.log_json)
    startup.hold_server_lock(settings)
    database = Database(settings.database_url)
    try:
        startup.check(settings, House(database, keys.load(settings.keys), policy_name=settings.policy))
    finally:
        database.close()
    _port_is_free(host, port)
    if settings.processes > 1:
        _share_metrics(settings.home / "metrics")
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": settings.processes,
        "worker_class": "gthread",
        "threads": settings.threads,
        "timeout": 60,
        "graceful_timeout": 10,
        "keepalive": 30,
        "logger_class": QuietLogger,
        "proc_name": "ost",
        "when_ready": lambda _server: log.log.info(
            "serving", port=port, processes=settings.processes, threads=settings.threads, mode=settings.mode
        ),
        "child_exit": _forget_metrics,
    }
    if Path("/dev/shm").is_dir():  # a worker's heartbeat must not wait for a slow disk
        options["worker_tmp_dir"] = "/dev/shm"
    Server(settings, options).run()


def _port_is_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise startup.NotReady(
                f"{host}:{port} cannot be listened on ({error.strerror}): stop who holds it, or choose another --port"
            ) from error


def _share_metrics(folder: Path) -> None:
    """Several processes keep their figures in one folder; it starts empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _forget_metrics(_server, worker) -> None:
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)
