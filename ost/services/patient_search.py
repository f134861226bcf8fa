"""Find patients by number or by part of a name.

Names are sealed in the database, so the search runs over a list opened in
memory: kept fresh by `change_no`, never written anywhere. An index over pieces
of names would say too much about them.
"""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.db import Database
from ost.keys import SealBroken
from ost.models import site
from ost.models.patient import patient, person_key
from ost.services import sealed
from ost.services.access import may
from ost.services.work import Actor, House

MOST = 100


@dataclass(frozen=True, slots=True)
class Found:
    id: str
    number: str
    home_site: str
    active: bool
    sex: str
    name: str | None = field(repr=False)  # None: forgotten


@dataclass(slots=True)
class _Directory:
    """Opened names of one database. `newest`: the highest change number seen."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    newest: int = -1
    people: dict[str, Found] = field(default_factory=dict, repr=False)


_directories: WeakKeyDictionary[Database, _Directory] = WeakKeyDictionary()
_making = threading.Lock()

_CHANGED = (
    sa.select(
        patient.c.id,
        patient.c.number,
        patient.c.home_site,
        patient.c.active,
        patient.c.sex,
        patient.c.name_sealed,
        patient.c.change_no,
        person_key.c.wrapped,
    )
    .join(person_key, person_key.c.person == patient.c.id, isouter=True)
    .where(patient.c.change_no > sa.bindparam("since"))
    .order_by(patient.c.change_no)
)


def search(
    house: House, actor: Actor, text: str = "", *, site_id: str | None = None, active_only: bool = False
) -> list[Found]:
    """At most MOST people whose number or name holds `text`, in order of number.

    Only home sites where the actor holds patient.search; `site_id` narrows to
    one. What was typed is a name: it is recorded nowhere, only that somebody
    searched and how many were found.
    """
    wanted = _folded(text)
    with house.read() as tx:
        people = _fresh(house, tx)
        places = tx.execute(sa.select(site.site.c.id)).scalars().all()
    open_to = {p for p in places if site_id in (None, p) and may(house, actor, "patient.search", p)}
    hits = [
        found
        for found in people
        if found.home_site in open_to
        and (found.active or not active_only)
        and (not wanted or wanted in _folded(found.number) or wanted in _folded(found.name or ""))
    ]
    hits.sort(key=lambda found: found.number)
    with house.work(actor, site_id, "patient.searched") as work:
        work.payload |= {"found": len(hits), "letters": len(wanted)}
    return hits[:MOST]


def _fresh(house: House, tx: Connection) -> list[Found]:
    with _making:
        directory = _directories.setdefault(house.db, _Directory())
    with directory.lock:
        for row in tx.execute(_CHANGED, {"since": directory.newest}):
            directory.people[row.id] = Found(
                row.id, row.number, row.home_site, row.active, row.sex, _name(house, row)
            )
            directory.newest = max(directory.newest, row.change_no)
        return list(directory.people.values())


def _name(house: House, row: sa.Row) -> str | None:
    try:
        key = house.keys.open_person_key(row.id, row.wrapped)
        return sealed.unseal_text(key, row.id, "patient", "name", row.name_sealed)
    except SealBroken:
        return None


def _folded(text: str) -> str:
    """Full-width, capitals and spaces make no difference."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
