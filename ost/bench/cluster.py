"""A PostgreSQL server of one's own, thrown away afterwards: for the tests, the drills and the benchmarks.

It listens on a Unix socket in a private folder and nowhere else, so it meets no other server and no port. It
is not how PostgreSQL is run for patients: anyone who can enter the folder is let in.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

import psycopg

OLDEST = 15
START_SECONDS = 60
_MEMORY_BYTES = 4 * 2**30
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "autovacuum_naptime": "10s",
}
# Only for data that nobody would miss: a power cut may lose everything.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class NoPostgres(RuntimeError):
    """There is no PostgreSQL server on this machine, or it does not start."""


def server_binaries() -> Path:
    """The folder with the newest `initdb` and `postgres`, at least version 15. Raises NoPostgres."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    found = {_version(folder): folder for folder in folders if (folder / "postgres").exists()}
    if not found or max(found) < OLDEST:
        raise NoPostgres(f"PostgreSQL {OLDEST} or newer is needed: on Debian, apt-get install postgresql.")
    return found[max(found)]


def memory_folder() -> str | None:
    """A folder whose files are in memory, with room for a suite of tests; None where there is none.

    There a database is copied in 20 ms of a core, on a busy disk in 250. Not in a small container, whose shared
    memory is 64 MB, and not where no program may be started from.
    """
    try:
        about = os.statvfs("/dev/shm")
    except OSError:
        return None
    roomy = about.f_bavail * about.f_frsize >= _MEMORY_BYTES
    return "/dev/shm" if roomy and not about.f_flag & (os.ST_NOEXEC | os.ST_RDONLY) else None


class ThrowawayPostgres:
    """`with ThrowawayPostgres() as server: Database(server.url)`.

    durable: every commit waits for the disk, as in real use; False is several times faster, for tests only.
    settings: more lines of postgresql.conf.
    Started from the main thread, the server also ends when that is killed.
    """

    def __init__(self, durable: bool = True, settings: dict[str, str] | None = None):
        self.durable = durable
        self.settings = SETTINGS | ({} if durable else NOT_DURABLE) | (settings or {})
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> ThrowawayPostgres:
        self.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database that every new server has."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg://{self.user}@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A bare autocommit connection, for what is done to databases rather than in them."""
        return psycopg.connect(host=str(self.folder), user=self.user, dbname=database, autocommit=True)

    def start(self) -> None:
        self.binaries = server_binaries()
        # A socket's path may have 107 bytes, so a long TMPDIR is no place for it.
        place = "/tmp" if self.durable else memory_folder() or "/tmp"
        self.folder = Path(tempfile.mkdtemp(prefix="ost-pg-", dir=place))
        self._account = _account()
        self.user = pwd.getpwuid(self._account["user"]).pw_name
        os.chown(self.folder, self._account["user"], self._account["group"])
        self.data = self.folder / "data"
        try:
            options = ["-U", self.user, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            self._run("initdb", "-D", self.data, *options)
            self._configure()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def restart_after_kill(self) -> None:
        """A power cut for the database alone: SIGKILL to the server, then start it on the same files."""
        assert self._process is not None
        children = self._children()
        for pid in (self._process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._launch()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            # Immediate shutdown: nothing here is kept.
            self._process.send_signal(signal.SIGQUIT if not self.durable else signal.SIGINT)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self) -> None:
        lines = [f"{name} = '{value}'" for name, value in self.settings.items()]
        lines.append(f"unix_socket_directories = '{self.folder}'")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("\n".join(lines) + "\n")

    def _launch(self) -> None:
        from_main = threading.current_thread() is threading.main_thread()
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data],
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent if from_main else None,
                **self._as_server(),
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise NoPostgres(f"PostgreSQL does not start: {self._last_words()}") from None
                time.sleep(0.02)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.binaries / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as_server())
        if done.returncode:
            raise NoPostgres(f"{program} failed: {done.stderr.strip()}")

    def _as_server(self) -> dict:
        """Arguments of subprocess for a command that may not run as root."""
        path = os.environ.get("PATH", "/usr/bin:/bin")
        environment = {"PATH": path, "HOME": str(self.folder), "LC_ALL": "C"}
        account = self._account if os.geteuid() == 0 else {}
        return {"cwd": self.folder, "env": environment, "stdin": subprocess.DEVNULL, **account}

    def _children(self) -> list[int]:
        assert self._process is not None
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def _last_words(self) -> str:
        lines = (self.folder / "server.log").read_text(errors="replace").strip().splitlines()
        return " ".join(lines[-3:]) or "it says nothing."


def _version(folder: Path) -> int:
    command = [folder / "postgres", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(said.split()[2].split(".")[0])


def _account() -> dict:
    """Whom the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {"user": os.geteuid(), "group": os.getegid(), "extra_groups": []}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise NoPostgres("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.")


def _end_with_parent() -> None:
    """In the new process: the kernel sends SIGQUIT when the thread that started it is gone."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGQUIT)
