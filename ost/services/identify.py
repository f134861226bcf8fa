"""Whose finger is on this picture? For the API; never evidence that anybody stood anywhere.

Only people known at the site come back by id. Of anybody else: dosed today, yes or no.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.errors import FingerprintError
from devices.fingerprints.gallery import Candidate
from ost.errors import Refusal
from ost.models import audit
from ost.models import site as sites
from ost.services import recognise
from ost.services.access import require
from ost.services.gallery import PrintGallery
from ost.services.probe import enough, minutiae_of, refusal_of, uploaded_image
from ost.services.stranger import answer_about
from ost.services.work import Actor, House, new_id


@dataclass(frozen=True, slots=True)
class Identified:
    """`candidates`: one when the print decides, up to three faces to choose from when it does not.

    `cylinders`: valid cylinders of the picture, which is the quality that counts at a counter.
    `dosed_today`: of a person enrolled elsewhere, None when nobody was recognised there.
    """

    candidates: tuple[Candidate, ...]
    decided: bool
    cylinders: int
    complete: bool
    dosed_today: bool | None = None


def identify(
    house: House, gallery: PrintGallery, actor: Actor, site: str, dpi: int, image: str
) -> Identified:
    """`image`: base64 of a picture at `dpi`. Refusals name what is wrong with it."""
    require(house, actor, "identify.capture", site)
    with house.read() as tx:
        if not tx.execute(sa.select(sites.site.c.id).where(sites.site.c.id == site)).first():
            raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
    picture = uploaded_image(image)
    print_ = None
    try:
        print_ = cylinders(minutiae_of(picture, dpi))
        enough(print_)
    except FingerprintError as error:
        raise refusal_of(error, len(print_) if print_ is not None else 0) from None
    found = recognise.recognise(house, gallery, site, print_)
    dosed = None
    with house.work(actor, site, "identify.asked") as work:
        work.lock_patients([found.stranger] if found.stranger else [c.person for c in found.candidates])
        for candidate in found.candidates:
            work.add(
                audit.record_access,
                id=new_id(),
                patient=candidate.person,
                account=actor.id,
                site=site,
                what="read",
                page="api.identify",
                why=None,
                at=work.now,
            )
        if found.stranger is not None:
            dosed = answer_about(work, found.stranger, "api.identify")
        work.payload = {"result": found.kind, "candidates": len(found.candidates)}
    return Identified(found.candidates, found.kind == recognise.PERSON, len(print_), found.complete, dosed)
