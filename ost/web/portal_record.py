"""A patient's own record: days, papers, who opened it, and all of it as one file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext

from ost.answers import field_texts, say
from ost.errors import N_, Refusal
from ost.http import PORTAL_PREFIX, house, patient_route, portal_session
from ost.i18n import language
from ost.services.guest import own
from ost.services.portal import access_log, download, record
from ost.web.formats import day_of

blueprint = Blueprint("portal_record", __name__, url_prefix=PORTAL_PREFIX)

#: Where a record was shown or changed, in a patient's words; by the longest beginning that fits.
PAGES = {
    "patients.": N_("your record"),
    "patients.fingers": N_("your fingerprints"),
    "patients.card": N_("your card"),
    "patient.update": N_("your personal data"),
    "patient.face": N_("your photograph"),
    "patient.register": N_("whether you are registered"),
    "counter.": N_("at the counter"),
    "counter.card": N_("your page at the counter"),
    "counter.consent": N_("at a counter elsewhere, as you agreed"),
    "counter.emergency": N_("at a counter elsewhere, in an emergency"),
    "prescriber.": N_("your prescriptions"),
    "lookups.": N_("emergency looks at you"),
    "duplicates.": N_("possible duplicate"),
    "api.": N_("through a program"),
    "guest.": N_("your guest dosing"),
    "portal.help": N_("your sign-in"),
    "portal.recover": N_("your number, told to you"),
}
KINDS = {"read": N_("looked"), "copy": N_("copied"), "edit": N_("changed")}
_BLOCK = 64 * 1024


def page_number() -> int:
    text = request.args.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def page_words(page: str) -> str:
    fits = [start for start in PAGES if page.startswith(start)]
    return gettext(PAGES[max(fits, key=len)]) if fits else gettext("your record")


@blueprint.get("/days")
@patient_route
def days():
    here = portal_session()
    return render_template(
        "portal/days.html",
        share=record.share(house(), here),
        found=record.doses(house(), here, page_number()),
        home=here.home_site,
        span=record.SHARE_DAYS,
    )


@blueprint.get("/papers")
@patient_route
def papers():
    here = portal_session()
    return render_template(
        "portal/papers.html", orders=record.orders(house(), here), holds=record.own_holds(house(), here)
    )


@blueprint.get("/readers")
@patient_route
def readers():
    return render_template(
        "portal/readers.html",
        log=access_log.of_patient(house(), portal_session(), page_number()),
        page_words=page_words,
        kinds=KINDS,
    )


# --- all of it -------------------------------------------------------------------


@blueprint.get("/copy")
@patient_route
def copy():
    return render_template("portal/copy.html", errors={})


@blueprint.post("/copy")
@patient_route
def take_copy():
    """A zip of two files and a picture, sent as it is made; asked for with the PIN, because it leaves this place."""
    here = portal_session()
    try:
        made = download.collect(house(), here, request.form.get("pin", ""))
    except Refusal as refusal:
        if refusal.code not in ("portal_pin_wrong", "portal_wait"):
            raise
        errors = {"pin": field_texts(refusal.fields.get("pin", [refusal.code]))}
        error = say(refusal.code, refusal.data)
        return render_template("portal/copy.html", errors=errors, error=error), 401
    page = render_template(
        "portal/copy_file.html",
        copy=made,
        data=made.data,
        share=record.share(house(), here),
        stays=own.of_patient(house(), here.patient),
        page_words=page_words,
        kinds=KINDS,
        locale=language().replace("_", "-"),
    )
    files = [("my-page.html", page.encode()), ("my-page.json", download.as_json(made))]
    if made.face:
        suffix = {"image/svg+xml": "svg", "image/png": "png"}.get(made.face[1], "jpg")
        files.append((f"face.{suffix}", made.face[0]))
    name = f"my-page-{day_of(made.at, made.tz).isoformat()}.zip"
    answer = Response(_zip(files), mimetype="application/zip")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


class _Pipe:
    """What a ZipFile writes to when nothing can be sought: the bytes wait here until they are sent."""

    def __init__(self):
        self._waiting = bytearray()

    def write(self, data) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken


def _zip(files: list[tuple[str, bytes]]) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            with archive.open(name, "w") as entry:
                for start in range(0, len(content), _BLOCK):
                    entry.write(content[start : start + _BLOCK])
                    yield pipe.take()
    yield pipe.take()
