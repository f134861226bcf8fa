"""What a touch means at its counter, and its one transaction.

While the counter's dose has no outcome, a touch is only a 1:1 check of the
person that dose is for: another's finger is said and never changes the card.
Otherwise the touch calls a person to the counter and gives them their place in
the day. Matching is done before the transaction; if the counter changed
meanwhile, it is done again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from devices.fingerprints.cylinders import Cylinders
from devices.interface import Touch
from ost import canonical, clock, policies
from ost.log import log
from ost.models import site as sites
from ost.models.dose import dose_attempt, dose_outcome
from ost.models.station import capture, identity_evidence, station
from ost.services import duress, measures, recognise
from ost.services.arrive import arrive
from ost.services.door import Entered
from ost.services.gallery import PrintGallery
from ost.services.identity_choice import FINGER, choice
from ost.services.measures import Measure
from ost.services.stranger import tell_about
from ost.services.work import House, Work, new_id

SHOWN, CONFIRMED, STOPPED, CHOOSE, UNKNOWN_PERSON, AGAIN = RESULTS = (
    "shown",  # a person is on the counter's screen
    "confirmed",  # the person of the dose, at hand-over
    "stopped",  # another person's finger at hand-over
    "choose",  # several faces are offered
    "nobody",  # not recognised, or not expected here
    "again",  # nothing usable was read
)
ARRIVAL, HAND_OVER = "arrival", "hand_over"
_TRIES = 3


class _Changed(Exception):
    """The counter was locked to a dose, or freed, while the print was compared."""


class RevokedMeanwhile(Exception):  # noqa: N818 - no fault: somebody was quicker
    """The station was revoked after its signature was checked: nothing is kept."""


@dataclass(slots=True)
class _Finding:
    """What the comparison came to, before anything is written."""

    result: str
    code: str | None = None
    person: str | None = None  # whom the capture names
    purpose: str | None = None
    dose: str | None = None
    score: float = 0.0
    other: str | None = None  # known here, touched at another's dose
    stranger: str | None = field(default=None, repr=False)
    offered: tuple[str, ...] = ()
    finger: str | None = None  # of `person`: whose template was hit
    fingers: dict[str, str] = field(default_factory=dict)  # the same of those offered
    match_ms: int | None = None


def keep(
    house: House,
    gallery: PrintGallery,
    entered: Entered,
    digest: str,
    touch: Touch,
    print_: Cylinders | None,
    problem: str | None,
    cylinders: int,
    measure: Measure,
) -> dict:
    """Compare, write, and return the answer as it is kept: {"result", "code", "capture"}.

    IntegrityError when the challenge's nonce was used meanwhile: nothing is kept then.
    """
    for last in (False,) * (_TRIES - 1) + (True,):
        with house.read() as tx:
            counter = tx.execute(_COUNTER, {"station": entered.id}).one_or_none()
            owner = owner_of_open_dose(tx, counter.dose) if counter is not None else None
        started = monotonic()
        finding = _find(house, gallery, entered, touch, print_, problem, counter, owner)
        if print_ is not None:
            finding.match_ms = round((monotonic() - started) * 1000)
        try:
            return _write(house, entered, digest, touch, finding, counter, cylinders, measure)
        except _Changed:
            if last:
                raise
    raise AssertionError("unreachable")


_COUNTER = sa.select(sites.counter).where(sites.counter.c.station == sa.bindparam("station")).limit(1)


_OWNER = (
    sa.select(dose_attempt.c.patient)
    .join(dose_outcome, dose_outcome.c.attempt == dose_attempt.c.id, isouter=True)
    .where(dose_attempt.c.id == sa.bindparam("dose"), dose_outcome.c.attempt.is_(None))
)


def owner_of_open_dose(tx: Connection, dose: str | None) -> str | None:
    """Whose dose holds a counter; None when there is none, or it has its outcome."""
    return None if dose is None else tx.execute(_OWNER, {"dose": dose}).scalar_one_or_none()


def _find(house, gallery, entered, touch, print_, problem, counter, owner) -> _Finding:
    if problem is not None:
        return _Finding(AGAIN, problem)
    if owner is not None:
        return _hand_over(house, gallery, entered, touch, print_, counter.dose, owner)
    if not _fingers_in_use(house, entered.site):
        return _Finding(UNKNOWN_PERSON, "finger_not_in_use")
    found = recognise.recognise(house, gallery, entered.site, print_, touch.simulated)
    score = found.score
    match found.kind:
        case recognise.PERSON if counter is None:
            return _Finding(UNKNOWN_PERSON, "no_counter", score=score)
        case recognise.PERSON:
            finger = found.candidates[0].finger
            return _Finding(SHOWN, None, found.person, ARRIVAL, score=score, finger=finger)
        case recognise.SEVERAL:
            offered = tuple(c.person for c in found.candidates)
            fingers = {c.person: c.finger for c in found.candidates}
            return _Finding(CHOOSE, "choose_face", score=score, offered=offered, fingers=fingers)
        case recognise.STRANGER:
            return _Finding(UNKNOWN_PERSON, "known_elsewhere", score=score, stranger=found.stranger)
    return _Finding(UNKNOWN_PERSON, "not_recognised" if found.complete else "gallery_loading", score=score)


def _fingers_in_use(house: House, site: str) -> bool:
    """Whether this site calls people by finger; hand-over is the pack's business."""
    with house.read() as tx:
        name = tx.execute(sa.select(sites.site.c.policy).where(sites.site.c.id == site)).scalar_one()
        return FINGER in choice(tx, site, policies.policy(name)).paths


def _hand_over(house, gallery, entered, touch, print_, dose, owner) -> _Finding:
    right, score, finger = recognise.confirms(house, gallery, owner, print_, touch.simulated)
    if right and not recognise.another_too(house, gallery, entered.site, owner, print_, touch.simulated):
        return _Finding(CONFIRMED, None, owner, HAND_OVER, dose, score, finger=finger)
    found = recognise.recognise(house, gallery, entered.site, print_, touch.simulated)
    if found.kind == recognise.PERSON and found.person != owner:
        return _Finding(
            STOPPED, "another_persons_finger", None, dose=dose, score=found.score, other=found.person
        )
    if found.kind == recognise.STRANGER and found.stranger != owner:
        return _Finding(STOPPED, "another_persons_finger", None, dose=dose, score=found.score)
    # Near to this person and to another: nobody can say whose it is, the card or the face can.
    # Near to nobody: a worn or unenrolled finger looks just like that. Said as "not confirmed".
    return _Finding(AGAIN, "finger_not_confirmed", None, dose=dose, score=score)


def _write(house, entered, digest, touch: Touch, f: _Finding, seen, cylinders: int, measure: Measure) -> dict:
    c = sites.counter
    with house.work(entered.actor, entered.site, f"capture.{f.result}", patient=f.person) as work:
        work.lock_patients([p for p in (f.person, f.stranger) if p is not None])
        if seen is not None:
            now = work.tx.execute(sa.select(c).where(c.c.id == seen.id).with_for_update()).one()
            if (now.dose, now.station) != (seen.dose, entered.id):
                raise _Changed
        kept = _keep_rows(work, entered, digest, touch, f, cylinders)
        measures.keep(work, entered, measure, kept["capture"], f.finger, f.match_ms)
        notice = _notice(work, f, kept["capture"])
        if f.result == SHOWN:
            arrive(work, entered.site, clock.dosing_day(work.now, entered.tz), f.person)
        if seen is not None:
            _tell_counter(work, seen.id, f, notice)
        work.payload = {
            "station": entered.id,
            "capture": kept["capture"],
            "result": f.result,
            "code": f.code,
            "counter": seen.id if seen is not None else None,
            "dose": f.dose,
            "simulated": touch.simulated,
        }
    log.info("touch", station=entered.id, kind=f.result, code=f.code)
    return kept


def _keep_rows(work: Work, entered: Entered, digest, touch: Touch, f: _Finding, cylinders: int) -> dict:
    answer = keep_capture(
        work,
        entered,
        digest,
        touch,
        result=f.result,
        code=f.code,
        cylinders=cylinders,
        person=f.person,
        score=f.score,
    )
    if f.person is not None:
        work.add(
            identity_evidence,
            id=new_id(),
            patient=f.person,
            site=entered.site,
            purpose=f.purpose,
            path="finger",
            capture=answer["capture"],
            dose=f.dose,
            station=entered.id,
            account=None,
            reason=None,
            at=work.now,
        )
        duress.note_touch(work, f.person, f.finger, answer["capture"])
    return answer


def keep_capture(
    work: Work,
    entered: Entered,
    digest: str,
    touch: Touch,
    *,
    result: str,
    code: str | None,
    cylinders: int = 0,
    person: str | None = None,
    score: float = 0.0,
) -> dict:
    """The row of a capture that came through the door, and the answer it bears: {"result", "code", "capture"}.

    Raises RevokedMeanwhile: reading and comparing a print takes a second, and after "revoked" nothing counts.
    """
    revoked = sa.select(station.c.revoked_at).where(station.c.id == entered.id)
    if work.tx.execute(revoked).scalar_one() is not None:
        raise RevokedMeanwhile
    answer = {"result": result, "code": code, "capture": new_id()}
    work.add(
        capture,
        id=answer["capture"],
        station=entered.id,
        site=entered.site,
        nonce=entered.challenge.nonce,
        sample_digest=digest,
        reader_kind=touch.reader_kind,
        simulated=touch.simulated,
        ending=touch.ending,
        quality=cylinders if cylinders else None,
        answer=canonical.text(answer),
        patient=person,
        score_e4=round(score * 10_000) if score else None,
        at=work.now,
    )
    return answer


def _notice(work: Work, f: _Finding, capture_id: str) -> dict | None:
    """What the page is told besides the person: codes and, of people known here, ids."""
    if f.code is None:
        return None
    notice = {"code": f.code, "capture": capture_id, "at": work.now}
    if f.result == STOPPED:
        notice["patient"] = f.other
    if f.offered:
        notice["candidates"], notice["fingers"] = list(f.offered), f.fingers
    if f.stranger is not None:
        told = tell_about(work, f.stranger, "counter.touch")
        notice |= {"dosed_today": told.dosed_today, "line": told.line}
    return notice


def _tell_counter(work: Work, counter_id: str, f: _Finding, notice: dict | None) -> None:
    c = sites.counter
    values = {"notice": canonical.text(notice) if notice else None, "version": c.c.version + 1}
    if f.result == SHOWN:
        values |= {"patient": f.person, "dose": None, "shown_at": work.now}
    elif f.result in (CHOOSE, UNKNOWN_PERSON):
        # The person before has left the reader to somebody else: their card does not stay open.
        values |= {"patient": None, "dose": None, "shown_at": None}
    work.tx.execute(sa.update(c).where(c.c.id == counter_id).values(**values))
