"""Enrol and withdraw fingers.

A print that shows too little is refused and nothing is kept; a poor one is kept
and said to be poor. A likeness to somebody else's print is shown to a human and
decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from devices.fingerprints import ALGORITHM
from devices.fingerprints.cylinders import Cylinders
from devices.fingerprints.decide import DUPLICATE, verify
from devices.fingerprints.errors import FingerprintError
from devices.fingerprints.gallery import Candidate
from ost import clock, policies
from ost.errors import Refusal
from ost.log import log
from ost.models import patient as people
from ost.models import site as sites
from ost.models.patient import fingerprint
from ost.services import consents, duress, finger_rows, impression, sealed
from ost.services.access import require
from ost.services.duplicate_cases import keep as keep_cases
from ost.services.gallery import PrintGallery
from ost.services.impression import Impression
from ost.services.known_here import known_here
from ost.services.probe import refusal_of, uploaded_image
from ost.services.templates import FINGERS, seal_template
from ost.services.work import Actor, House, Work, new_id

MOST_IMPRESSIONS = 6


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Somebody else whose print is alike. `patient` only where this site may see them."""

    patient: str | None
    finger: str | None
    score: float


@dataclass(frozen=True, slots=True)
class Enrolled:
    """`impressions`: of this finger so far; `fingers`: of this person. `agrees`: like the
    finger's earlier impressions (None for the first). `advice`: one of quality.ADVICE."""

    id: str
    patient: str
    finger: str
    impression: int
    impressions: int
    impressions_wanted: int
    fingers: int
    fingers_wanted: int
    quality: int | None
    cylinders: int
    advice: str
    agrees: bool | None
    duplicates: tuple[Duplicate, ...]


def enrol_finger(
    house: House,
    gallery: PrintGallery,
    actor: Actor,
    patient_id: str,
    finger: str,
    dpi: int,
    image: str,
    synthetic: bool = False,
) -> Enrolled:
    """Keep one impression of `finger` (as "right_index") from a base64 picture at `dpi`."""
    home = home_of(house, patient_id)
    require(house, actor, "patient.enrol_finger", home.id)
    if finger not in FINGERS:
        raise Refusal("finger_unknown", fields={"finger": ["finger_unknown"]})
    picture = uploaded_image(image)
    try:
        read = impression.of_picture(picture, dpi)
    except FingerprintError as error:
        raise refusal_of(error, getattr(error, "found", 0)) from None
    likeness = compare(house, gallery, patient_id, read)
    row = store(house, actor, home.id, patient_id, finger, read.minutiae, read.cylinders, read.nfiq2, synthetic)
    gallery.refresh(house, [patient_id])
    policy = policies.policy(home.policy)
    return Enrolled(
        id=row["id"],
        patient=patient_id,
        finger=finger,
        impression=row["impression"],
        impressions=row["of_finger"],
        impressions_wanted=policy.int("enrol_impressions"),
        fingers=row["fingers"],
        fingers_wanted=policy.int("enrol_min_fingers"),
        quality=read.nfiq2,
        cylinders=len(read.cylinders),
        advice=read.advice,
        agrees=agrees(row["of_finger"], finger, likeness.own),
        duplicates=duplicates(house, actor, home, patient_id, likeness.others, finger, synthetic),
    )


@dataclass(frozen=True, slots=True)
class Likeness:
    """What an impression is like before it is kept.

    `own`: nearest of the person's own. `others`: other people's, from DUPLICATE on.
    """

    own: Candidate | None
    others: tuple[Candidate, ...]


def compare(house: House, gallery: PrintGallery, patient_id: str, read: Impression) -> Likeness:
    """Refusal("gallery_loading") while the first load runs: a second record would not be found, then or later."""
    gallery.refresh(house, [patient_id])
    if not gallery.progress.ready:
        raise Refusal("gallery_loading")
    own = gallery.search(read.cylinders, among=[patient_id], limit=1)
    near = gallery.search(read.cylinders, limit=8)
    others = tuple(c for c in near if c.person != patient_id and c.score >= DUPLICATE)
    return Likeness(own[0] if own else None, others)


def store(
    house: House,
    actor: Actor,
    site: str,
    patient_id: str,
    finger: str,
    minutiae,
    print_: Cylinders,
    nfiq2: int | None,
    synthetic: bool,
) -> dict:
    """Write one impression. {"id", "impression", "of_finger", "fingers"}."""
    with house.work(actor, site, "finger.enrolled", patient=patient_id) as work:
        # Asked again under the lock: a record may have been closed since (`duplicate_decide`).
        if not work.lock_patients([patient_id]) or not may_be_enrolled(work.tx, patient_id):
            raise Refusal("patient_unknown")
        kept = write(work, actor.id, patient_id, finger, minutiae, print_, nfiq2, synthetic)
        work.payload = {"fingerprint": kept["id"], "finger": finger, "impression": kept["impression"]}
    return kept


def may_be_enrolled(tx: Connection, patient_id: str) -> bool:
    """Whether the record is open; the person is locked already."""
    p = people.patient
    return bool(tx.execute(sa.select(p.c.active).where(p.c.id == patient_id)).scalar())


def write(
    work: Work,
    by: str,
    patient_id: str,
    finger: str,
    minutiae,
    print_: Cylinders,
    nfiq2: int | None,
    synthetic: bool,
    capture: str | None = None,
) -> dict:
    """The row of one impression; the person is locked already. As `store`. `by`: the account that enrols."""
    if consents.taken_back(work.tx, patient_id, consents.FINGERPRINTS):
        raise Refusal("fingerprint_consent_ended")
    f = fingerprint
    rows = work.tx.execute(
        sa.select(f.c.finger, f.c.impression, f.c.withdrawn_at).where(f.c.patient == patient_id)
    ).all()
    standing = [r for r in rows if r.withdrawn_at is None]
    of_finger = sum(r.finger == finger for r in standing)
    if of_finger >= MOST_IMPRESSIONS:
        raise Refusal("impressions_complete", most=MOST_IMPRESSIONS)
    # Numbers of withdrawn impressions are not used again: a template is bound to its number.
    number = max((r.impression for r in rows if r.finger == finger), default=0) + 1
    key = sealed.person_key(work.tx, work.keys, patient_id)
    duress.answer_none(work, patient_id, key)
    row = work.add(
        f,
        id=new_id(),
        patient=patient_id,
        finger=finger,
        impression=number,
        algorithm=ALGORITHM,
        template_sealed=seal_template(key, patient_id, finger, number, minutiae, nfiq2),
        nfiq2=nfiq2,
        cylinders=len(print_),
        capture=capture,
        synthetic=synthetic,
        enrolled_at=work.now,
        enrolled_by=by,
        withdrawn_at=None,
        change_no=work.next_change_no("gallery"),
    )
    fingers = {r.finger for r in standing} | {finger}
    return {"id": row["id"], "impression": number, "of_finger": of_finger + 1, "fingers": len(fingers)}


def withdraw(
    house: House, gallery: PrintGallery, actor: Actor, patient_id: str, finger: str | None = None
) -> int:
    """One finger, or all, no longer match anywhere; how many impressions went. The templates are wiped."""
    home = home_of(house, patient_id)
    require(house, actor, "patient.enrol_finger", home.id)
    with house.work(actor, home.id, "finger.withdrawn", patient=patient_id) as work:
        work.lock_patients([patient_id])
        count = finger_rows.withdraw(work, patient_id, finger)
        if not count:
            raise Refusal("finger_not_enrolled")
        work.payload = {"finger": finger, "impressions": count}
    gallery.refresh(house, [patient_id])
    return count


@dataclass(frozen=True, slots=True)
class FingerView:
    finger: str
    impressions: int
    best_quality: int | None
    least_cylinders: int
    synthetic: bool
    enrolled_at: object


def fingers_of(house: House, actor: Actor, patient_id: str) -> list[FingerView]:
    home = home_of(house, patient_id)
    require(house, actor, "patient.read", home.id)
    f = fingerprint
    with house.read() as tx:
        rows = tx.execute(
            sa.select(f)
            .where(f.c.patient == patient_id, f.c.withdrawn_at.is_(None))
            .order_by(f.c.enrolled_at)
        ).all()
    views = []
    for name in FINGERS:
        own = [r for r in rows if r.finger == name]
        if own:
            qualities = [r.nfiq2 for r in own if r.nfiq2 is not None]
            views.append(
                FingerView(
                    name,
                    len(own),
                    max(qualities, default=None),
                    min(r.cylinders for r in own),
                    any(r.synthetic for r in own),
                    own[-1].enrolled_at,
                )
            )
    return views


def agrees(of_finger: int, finger: str, own: Candidate | None, simulated: bool = False) -> bool | None:
    """Whether the print is like this finger's earlier ones, of which there are `of_finger` - 1; None for the first.

    A wrong finger put down shows here.
    """
    if of_finger == 1:
        return None
    return own is not None and own.finger == finger and verify(own.score, simulated)


def duplicates(
    house: House,
    actor: Actor,
    home: sa.Row,
    patient_id: str,
    alike: tuple[Candidate, ...],
    finger: str = "",
    synthetic: bool = False,
) -> tuple[Duplicate, ...]:
    """Send those alike to a human (`duplicate_cases`), and say whom of them this site may see."""
    if not alike:
        return ()
    with house.read() as tx:
        here = known_here(tx, home.id, clock.dosing_day(house.now(), home.tz))
    with house.work(actor, home.id, "finger.alike", patient=patient_id) as work:
        alike = keep_cases(work, home.id, patient_id, finger, alike, synthetic)
        if alike:
            work.payload = {"alike": len(alike), "best_e4": round(alike[0].score * 10_000)}
    if alike:
        log.warning("finger_alike", count=len(alike))
    return tuple(
        Duplicate(c.person, c.finger, c.score) if c.person in here else Duplicate(None, None, c.score)
        for c in alike
    )


def home_of(house: House, patient_id: str) -> sa.Row:
    """Id, zone and policy of the person's home site."""
    p, s = people.patient, sites.site
    with house.read() as tx:
        row = tx.execute(
            sa.select(s.c.id, s.c.tz, s.c.policy)
            .join(p, p.c.home_site == s.c.id)
            .where(p.c.id == patient_id, p.c.active)
        ).one_or_none()
    if row is None:
        raise Refusal("patient_unknown")
    return row
