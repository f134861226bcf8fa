"""What must hold before the program serves, and what `doctor` and `/health/ready` ask.

Each check answers with one sentence that says what to do. A check that cannot
be made has failed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import sqlalchemy as sa

from config.settings import Settings
from ost import canonical, policies
from ost.db import Database, alembic_config
from ost.log import log
from ost.models import audit, patient, station
from ost.services.work import House

#: Below this the database may fail in the middle of a morning.
SMALLEST_FREE_BYTES = 200 * 1024 * 1024


class NotReady(Exception):
    """The program must not serve; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`check`: its name. `todo`: what to do, empty when all is well."""

    check: str
    ok: bool
    text: str
    todo: str = ""


def database_answers(_settings: Settings, house: House) -> Finding:
    try:
        with house.read() as tx:
            tx.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError as error:
        log.error("check_failed", check="database", error=error)
        return Finding(
            "database", False, "the database does not answer", "start it, or correct OST_DATABASE_URL"
        )
    return Finding("database", True, house.db.url.get_backend_name())


def migrations_at_head(_settings: Settings, house: House) -> Finding:
    try:
        stands, head = revision(house.db), head_revision(house.db)
    except sa.exc.SQLAlchemyError as error:
        log.error("check_failed", check="migrations", error=error)
        return Finding(
            "migrations", False, "the database does not answer", "start it, or correct OST_DATABASE_URL"
        )
    if stands != head:
        return Finding(
            "migrations", False, f"the database stands at {stands or 'nothing'}, not {head}", "run ost init"
        )
    return Finding("migrations", True, f"at {head}")


def keys_fit(_settings: Settings, house: House) -> Finding:
    """The chain's last event was signed with the key we hold: keys of another house are noticed at once."""
    e, h = audit.audit_event, audit.chain_head
    last = sa.and_(e.c.site == h.c.site, e.c.number == h.c.number)
    try:
        with house.read() as tx:
            row = tx.execute(sa.select(e).join(h, last).limit(1)).mappings().one_or_none()
    except sa.exc.SQLAlchemyError:
        return Finding("keys", False, "the database does not answer", "start it, or correct OST_DATABASE_URL")
    if row is not None:
        event = {k: v for k, v in row.items() if k != "mac"}
        if house.keys.chain_mac(canonical.text(event)) != row["mac"]:
            return Finding(
                "keys",
                False,
                "the keys do not belong to this database",
                "put back the keys folder that was made with it, or set OST_HOME to where it is",
            )
    return Finding("keys", True, "the keys belong to this database")


def disk_space(settings: Settings, _house: House) -> Finding:
    free = shutil.disk_usage(_existing(settings.home)).free
    if free < SMALLEST_FREE_BYTES:
        return Finding("disk", False, f"{free // 2**20} MB are free", "make room on the disk of OST_HOME")
    return Finding("disk", True, f"{free // 2**20} MB free")


def policy_stands(settings: Settings, _house: House) -> Finding:
    try:
        policy = policies.policy(settings.policy)
    except ValueError as error:
        return Finding("policy", False, str(error), "run ost policy lint and correct the pack")
    return Finding("policy", True, f"{policy.name} {policy.digest[:12]}")


def no_simulated_reader(settings: Settings, house: House) -> Finding:
    """Nothing acts on a simulated reader in production (DESIGN.md, promise 9)."""
    if settings.demo:
        return Finding("readers", True, "demo: simulated readers are allowed")
    st = station.station
    try:
        with house.read() as tx:
            query = (
                sa.select(st.c.id)
                .where(st.c.reader_kind == "simulated", st.c.revoked_at.is_(None))
                .order_by(st.c.id)
            )
            found = tx.execute(query).scalars().all()
    except sa.exc.SQLAlchemyError:
        return Finding("readers", False, "the stations could not be read", "run ost init")
    if found:
        return Finding(
            "readers",
            False,
            f"a simulated reader is enrolled in production: {', '.join(found[:5])}",
            "revoke the station, or set OST_MODE=demo if this is a practice system",
        )
    return Finding("readers", True, "no simulated reader")


def prints_fit(_settings: Settings, house: House) -> Finding:
    """Whether all enrolled prints have room in a serving process. Never a reason not to serve: a card works."""
    from ost.services.gallery import MAX_TEMPLATES  # the matcher takes a second to load

    f = patient.fingerprint
    try:
        with house.read() as tx:
            count = tx.execute(
                sa.select(sa.func.count()).select_from(f).where(f.c.withdrawn_at.is_(None))
            ).scalar_one()
    except sa.exc.SQLAlchemyError:
        return Finding("prints", False, "the prints could not be counted", "run ost init")
    text = f"{count} prints enrolled, room for {MAX_TEMPLATES} in memory"
    if count > MAX_TEMPLATES:
        text += f": {count - MAX_TEMPLATES} are not found by touch; raise MAX_TEMPLATES in ost/services/gallery.py"
    return Finding("prints", True, text)


CHECKS: tuple[Callable[[Settings, House], Finding], ...] = (
    database_answers,
    migrations_at_head,
    keys_fit,
    policy_stands,
    no_simulated_reader,
    disk_space,
    prints_fit,
)


def findings(settings: Settings, house: House) -> Iterator[Finding]:
    for check in CHECKS:
        yield check(settings, house)


def check(settings: Settings, house: House) -> None:
    """Raise NotReady at the first check that fails."""
    for finding in findings(settings, house):
        if (
            not finding.ok and finding.check != "disk"
        ):  # a full disk is shown, and still serves what can be read
            raise NotReady(f"{finding.text}: {finding.todo}")


def revision(database: Database) -> str | None:
    """The migration the database stands at."""
    from alembic.migration import MigrationContext

    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision(database: Database) -> str | None:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(alembic_config(database)).get_current_head()


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


# --- one server on one SQLite file --------------------------------------------------

#: Locks this process (or the one it was forked from) holds: path -> open descriptor.
_held: dict[str, int] = {}
#: A server that was just killed lets go within this time.
_LOCK_WAIT_S = 3.0


def hold_server_lock(settings: Settings) -> None:
    """Nobody else serves this SQLite file while this process lives; on PostgreSQL nothing to do.

    The lock belongs to the open file: the system lets go of it when the process
    ends, however it ends. Raises NotReady.
    """
    if not settings.database_url.startswith("sqlite"):
        return
    database = Path(settings.database_url.removeprefix("sqlite:///")).resolve()
    path = str(database.with_name(database.name + ".serving"))
    if path in _held:
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError as error:
        raise NotReady("there is nothing here yet: run ost init first") from error
    except OSError as error:
        raise NotReady(f"{database.parent} cannot be written ({error.strerror}): run ost init") from error
    deadline = monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if monotonic() > deadline:
                os.close(descriptor)
                raise NotReady(
                    f"another server is already serving {database}: stop it first, or use PostgreSQL to run several"
                ) from error
            sleep(0.1)
    _held[path] = descriptor
