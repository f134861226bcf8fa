"""Possible duplicates: a likeness found at enrolment becomes a case, and a human decides it.

Here: keeping cases, listing them, opening both records side by side. Deciding is
in `duplicate_decide`. The score only opens a case; it never decides one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from devices.fingerprints.decide import DUPLICATE, IDENTIFY_SIMULATED
from devices.fingerprints.gallery import Candidate
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit, staff
from ost.models import site as sites
from ost.models.lookup import duplicate_case, duplicate_decision
from ost.models.patient import fingerprint, patient
from ost.services import sealed
from ost.services.access import may
from ost.services.work import Actor, House, Work, new_id

SAME_PERSON, TWO_PERSONS, CANNOT_TELL = DECISIONS = ("same_person", "two_persons", "cannot_tell")
WHY = "duplicate_review"
#: From these scores on (x 10^4), in words; the operating points are in devices/fingerprints/decide.py.
_VERY_ALIKE_E4, _ALIKE_E4 = 1000, 600
MOST = 300

_K, _D, _F = duplicate_case, duplicate_decision, fingerprint


def pair_of(a: str, b: str) -> str:
    return "|".join(sorted((a, b)))


def keep(
    work: Work, site: str, person: str, finger: str, alike: Iterable[Candidate], synthetic: bool = False
) -> tuple[Candidate, ...]:
    """A case for each pair that has none; the candidates that go, or went, to a human.

    First lock of its transaction: all people in question. Practice prints resemble each other, so where
    one side is such a print their own, higher point counts. A pair found to be two persons is not asked again.
    """
    alike = {c.person: c for c in alike if c.person != person and c.score >= DUPLICATE}
    if not alike:
        return ()
    work.lock_patients([person, *alike])
    drawn = set(
        work.tx.execute(
            sa.select(_F.c.patient).where(
                _F.c.patient.in_([person, *alike]), _F.c.synthetic, _F.c.withdrawn_at.is_(None)
            )
        ).scalars()
    )
    kept = []
    for other, candidate in alike.items():
        if (synthetic or {person, other} & drawn) and candidate.score < IDENTIFY_SIMULATED.threshold:
            continue
        pair = pair_of(person, other)
        case = work.tx.execute(sa.select(_K.c.id).where(_K.c.pair == pair)).scalar_one_or_none()
        if case is None:
            work.add(
                duplicate_case,
                id=new_id(),
                patient=person,
                other=other,
                pair=pair,
                finger=finger or "unknown",
                other_finger=str(candidate.finger),
                score_e4=round(candidate.score * 10_000),
                site=site,
                at=work.now,
            )
        elif (decided := newest(work.tx, case)) is not None and decided.decision == TWO_PERSONS:
            continue
        kept.append(candidate)
    return tuple(kept)


def newest(tx: Connection, case: str) -> sa.Row | None:
    """The decision that counts, if there is one."""
    return tx.execute(
        sa.select(_D).where(_D.c.of_case == case).order_by(_D.c.at.desc(), _D.c.id).limit(1)
    ).one_or_none()


# --- reading ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    decision: str
    kept: str | None
    reason: str | None
    by: str  # display name
    at: datetime


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two records. Personal fields only on the page of one case."""

    id: str
    number: str
    home_site: str
    active: bool
    finger: str
    registered_at: datetime | None = None
    sex: str | None = None
    has_face: bool = False
    forgotten: bool = False
    fingers: tuple[str, ...] = ()
    name: str | None = field(default=None, repr=False)
    born: date | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    site: str  # where the likeness was found
    at: datetime
    alike: str  # "very_alike" | "alike" | "somewhat_alike"
    sides: tuple[Side, Side]  # the one being enrolled first
    decisions: tuple[Decision, ...]  # newest first

    @property
    def state(self) -> str:
        return self.decisions[0].decision if self.decisions else "undecided"

    @property
    def kept(self) -> str | None:
        return self.decisions[0].kept if self.state == SAME_PERSON else None


def cases(house: House, actor: Actor) -> list[Case]:
    """Cases whose both homes lie in the actor's scope, undecided ones first. No name is opened."""
    with house.read() as tx:
        every = tx.execute(sa.select(sites.site.c.id)).scalars().all()
        mine = [site for site in every if may(house, actor, "duplicate.review", site)]
        # Chosen before they are cut off: other counties' newer cases push no undecided one out of sight.
        query = _CASES.where(_ONE.c.home_site.in_(mine), _TWO.c.home_site.in_(mine))
        order = (sa.exists().where(_D.c.of_case == _K.c.id), _K.c.at.desc(), _K.c.id)
        found = _read(tx, query.order_by(None).order_by(*order).limit(MOST))
        decided = _decisions(tx, [c.id for c in found])
    return [Case(c.id, c.site, c.at, c.alike, c.sides, decided.get(c.id, ())) for c in found]


def open_case(house: House, actor: Actor, case_id: str) -> Case:
    """Both records opened side by side; the look stands in both people's lists.

    Refusal("duplicate_unknown") also for somebody whose scope does not hold both homes.
    """
    with house.read() as tx:
        case = case_row(house, tx, actor, case_id)
        decided = _decisions(tx, [case_id]).get(case_id, ())
    with house.work(actor, case.sides[0].home_site, "duplicate.opened", patient=case.sides[0].id) as work:
        record_look(work, [s.id for s in case.sides])
        work.payload = {"case": case_id}
        sides = tuple(_opened(work.tx, house, side) for side in case.sides)
    return Case(case.id, case.site, case.at, case.alike, sides, decided)


def face(house: House, actor: Actor, case_id: str, side: int) -> tuple[bytes, str]:
    """(image, media type) of one side of a case. Refusal("face_missing")."""
    with house.read() as tx:
        person = case_row(house, tx, actor, case_id).sides[side].id
        row = tx.execute(sa.select(patient).where(patient.c.id == person)).one()
        if row.face_sealed is None:
            raise Refusal("face_missing")
        try:
            key = sealed.person_key(tx, house.keys, person)
        except SealBroken:
            raise Refusal("face_missing") from None
        return sealed.unseal(key, person, "patient", "face", row.face_sealed), row.face_type


def case_row(house: House, tx: Connection, actor: Actor, case_id: str) -> Case:
    found = _read(tx, _CASES.where(_K.c.id == case_id))
    if not found or not _may(house, actor, found[0]):
        raise Refusal("duplicate_unknown")
    return found[0]


def record_look(work: Work, people: Iterable[str]) -> None:
    for person in people:
        work.add(
            audit.record_access,
            id=new_id(),
            patient=person,
            account=work.actor.id,
            site=work.site,
            what="read",
            page="duplicates.case",
            why=WHY,
            at=work.now,
        )


# --- within ----------------------------------------------------------------------

_ONE, _TWO = patient.alias("one"), patient.alias("two")
_CASES = (
    sa.select(
        _K,
        _ONE.c.number.label("number"),
        _ONE.c.home_site.label("home"),
        _ONE.c.active.label("active"),
        _TWO.c.number.label("other_number"),
        _TWO.c.home_site.label("other_home"),
        _TWO.c.active.label("other_active"),
    )
    .join_from(_K, _ONE, _ONE.c.id == _K.c.patient)
    .join(_TWO, _TWO.c.id == _K.c.other)
    .order_by(_K.c.at.desc(), _K.c.id)
)


def _read(tx: Connection, query: sa.Select) -> list[Case]:
    return [
        Case(
            r.id,
            r.site,
            r.at,
            _in_words(r.score_e4),
            (
                Side(r.patient, r.number, r.home, r.active, r.finger),
                Side(r.other, r.other_number, r.other_home, r.other_active, r.other_finger),
            ),
            (),
        )
        for r in tx.execute(query)
    ]


def _may(house: House, actor: Actor, case: Case) -> bool:
    return all(may(house, actor, "duplicate.review", side.home_site) for side in case.sides)


def _in_words(score_e4: int) -> str:
    return "very_alike" if score_e4 >= _VERY_ALIKE_E4 else "alike" if score_e4 >= _ALIKE_E4 else "somewhat_alike"


def _decisions(tx: Connection, ids: list[str]) -> dict[str, tuple[Decision, ...]]:
    query = (
        sa.select(_D, staff.account.c.display_name)
        .join(staff.account, staff.account.c.id == _D.c.by, isouter=True)
        .where(_D.c.of_case.in_(ids))
        .order_by(_D.c.at.desc(), _D.c.id)
    )
    found: dict[str, tuple[Decision, ...]] = {}
    for r in tx.execute(query):
        made = Decision(r.decision, r.kept, r.reason, r.display_name or r.by, r.at)
        found[r.of_case] = (*found.get(r.of_case, ()), made)
    return found


def _opened(tx: Connection, house: House, side: Side) -> Side:
    row = tx.execute(sa.select(patient).where(patient.c.id == side.id)).one()
    fingers = tx.execute(
        sa.select(_F.c.finger)
        .where(_F.c.patient == side.id, _F.c.withdrawn_at.is_(None))
        .distinct()
        .order_by(_F.c.finger)
    ).scalars()
    name = born = key = None
    try:
        key = sealed.person_key(tx, house.keys, side.id)
    except SealBroken:
        pass  # forgotten: the page says so
    else:
        name = sealed.unseal_text(key, side.id, "patient", "name", row.name_sealed)
        born = sealed.unseal_text(key, side.id, "patient", "birth_date", row.birth_date_sealed)
    return Side(
        id=side.id,
        number=side.number,
        home_site=side.home_site,
        active=row.active,
        finger=side.finger,
        registered_at=row.registered_at,
        sex=row.sex,
        has_face=row.face_sealed is not None and key is not None,
        forgotten=key is None,
        fingers=tuple(fingers),
        name=name,
        born=date.fromisoformat(born) if born else None,
    )
