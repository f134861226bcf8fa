"""Pages of closures: declare, look at what it would do, confirm, follow, take back, and the rosters of both ends.

They work at any site's computer and at the centre's; the closed site's own may
be off. The board shows numbers of requests; a patient's number stands there
only for whoever may read patients at one of the two ends.
"""

from __future__ import annotations

from datetime import date, timedelta

from flask import Response, redirect, render_template, request, url_for
from flask_babel import gettext

from ost import clock, wording
from ost.answers import say
from ost.errors import N_, Refusal
from ost.http import actor, allow, holds, house, quiet, site
from ost.i18n import language
from ost.reports import roster as paper
from ost.reports.evaluation import render_pdf
from ost.rules import closure as rules
from ost.rules.schedule import DateError, parse_date
from ost.services import evaluate_at_station, patient_read
from ost.services.closures import read, room, roster
from ost.services.closures.declare import Changed
from ost.services.closures.declare import declare as declare_closure
from ost.services.closures.preview import Preview
from ost.services.closures.preview import preview as preview_closure
from ost.services.closures.undo import undo as undo_closure
from ost.services.closures.wanted import MOST_DAYS, Wanted, places, reasons
from ost.services.guest.settings import EQUIPMENT
from ost.web import desk, guest_frame
from ost.web.formats import own_calendar

WORDS = {
    # why a site cannot dose
    "typhoon": N_("typhoon"),
    "flood": N_("flood"),
    "earthquake": N_("earthquake"),
    "power": N_("no electricity"),
    "fire": N_("fire"),
    "staff": N_("nobody to dose"),
    "stock": N_("no medicine"),
    "other_closure": N_("another reason"),
    # where somebody goes, and why
    "nearest": N_("nearest with a place"),
    "wish": N_("as they wish"),
    "kept": N_("as they had asked"),
    "home": N_("own site"),
    "stays": N_("waits until it opens again"),
    "no_place": N_("no place left in reach"),
    "no_medicine": N_("no site in reach has the medicine"),
    "no_equipment": N_("no site in reach has what they need"),
    "no_site": N_("no site in reach is open in time"),
    "held": N_("on hold: a clinician decides"),
    "no_order": N_("no order in force"),
    "not_allowed": N_("the policy allows no emergency permit"),
    "asked": N_("an own request waits for an answer"),
    # how it stands
    "dosed": N_("dosed"),
    "under_way": N_("being dosed"),
    "arrived": N_("there"),
    "expected": N_("expected"),
    "missed": N_("did not come"),
    "taken_back": N_("taken back"),
    "nowhere": N_("nowhere"),
    "told": N_("told"),
    "being_told": N_("message under way"),
    "not_told": N_("not reached"),
}
FIELDS = ("scope", "county", "first", "last", "from_time", "to_time", "reason")

blueprint = guest_frame.make_blueprint("closures", __name__, "/closures")
blueprint.context_processor(lambda: {"word": word, "now_clock": _clock})


def word(code: str | None) -> str:
    return gettext(WORDS[code]) if code in WORDS else guest_frame.word(code)


def _clock(at) -> str:
    return clock.local(at, str(desk.tz())).strftime("%H:%M:%S")


# --- the list and the form --------------------------------------------------------


@blueprint.get("")
@allow("closure.read")
def index():
    return _index()


def _index(errors: dict | None = None, values: dict | None = None):
    mine = places(house(), actor()) if holds("closure.declare") else []
    today = clock.dosing_day(house().now(), str(desk.tz()))
    asked = request.args.get("day", "")
    first = date.fromisoformat(asked) if _is_day(asked) else today
    counties: dict[str, list] = {}
    for each in mine:
        counties.setdefault(each.county, []).append(each)
    return render_template(
        "closures/index.html",
        closures=read.closures(house(), actor()),
        counties=counties,
        whole=[
            (code, guest_frame.county_name(code))
            for code, sites in counties.items()
            if all(s.whole_county for s in sites)
        ],
        reasons=[(code, word(code)) for code in reasons(house())],
        today=own_calendar(first),
        values=values or {},
        chosen=(values or {}).get("sites") or request.args.getlist("site") or [site()],
        errors=errors or {},
        extra=_extra(),
        most_percent=room.MOST_PERCENT,
    )


def _extra() -> dict | None:
    """The emergency room of the site this browser works at, for whoever may set it."""
    here = site()
    try:
        return None if here is None else {"percent": room.extra_percent(house(), actor(), here)}
    except Refusal:
        return None


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


@blueprint.post("/room")
@allow("guest.settings")
def extra_room():
    text = request.form.get("extra_percent", "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 5):
        raise Refusal("closure_percent_wrong")
    try:
        room.set_extra_percent(house(), actor(), desk.here(), int(text) if text else None)
    except Refusal as refusal:
        if refusal.code != "input_invalid":
            raise
        raise Refusal("closure_percent_wrong") from None
    desk.done(gettext("Kept. It counts from the next closure on."))
    return redirect(url_for("closures.index"), 303)


# --- what one person wishes -------------------------------------------------------


@blueprint.get("/wish/<patient_id>")
@allow("guest.ask")
def wish(patient_id: str):
    return _wish(patient_id, room.wish_of(house(), actor(), patient_id))


def _wish(patient_id: str, wish: room.Wish | None, errors: dict | None = None):
    return render_template(
        "closures/wish.html",
        patient_id=patient_id,
        number=patient_read.numbers(house(), [patient_id])[patient_id],
        wish=wish,
        sites=[(code, wording.site_name(code)) for code in room.sites_to_wish_for(house())],
        equipment=guest_frame.choices(EQUIPMENT),
        errors=errors or {},
    )


@blueprint.post("/wish/<patient_id>")
@allow("guest.ask")
def set_wish(patient_id: str):
    wished = room.Wish(request.form.get("site", "")[:12] or None, tuple(request.form.getlist("equipment"))[:20])
    try:
        room.set_wish(house(), actor(), patient_id, wished.site, wished.equipment)
    except Refusal as refusal:
        if refusal.code != "input_invalid":
            raise
        return _wish(patient_id, wished, desk.problems(refusal)), 422
    desk.done(gettext("Kept. It counts when their site closes."))
    return redirect(url_for("closures.wish", patient_id=patient_id), 303)


def _wanted() -> Wanted:
    """What the form asks for. Refusal("input_invalid") with the field a day could not be read in."""
    given = {name: request.form.get(name, "").strip()[:40] for name in FIELDS}
    days = {}
    for name in ("first", "last"):
        text = given[name] or given["first"]
        try:
            days[name] = parse_date(text) if text else None
        except DateError as error:
            raise Refusal("input_invalid", fields={name: [error.code]}) from None
    if days["first"] is None:
        raise Refusal("input_invalid", fields={"first": ["closure_days_wrong"]})
    length = (days["last"] - days["first"]).days + 1
    if not 1 <= length <= MOST_DAYS:
        raise Refusal("input_invalid", fields={"last": ["closure_days_wrong"]})
    county = given["county"] if given["scope"] == "county" else None
    return Wanted(
        days=tuple(days["first"] + timedelta(days=n) for n in range(length)),
        reason=given["reason"],
        sites=() if county else tuple(dict.fromkeys(request.form.getlist("sites")))[:400],
        county=county or None,
        from_time=given["from_time"] or None,
        to_time=given["to_time"] or None,
    )


def _again(refusal: Refusal):
    """The form once more, with what was typed and what is wrong with it."""
    if refusal.code != "input_invalid":
        raise refusal
    renamed = {"days": "first"}
    refusal.fields = {renamed.get(name, name): codes for name, codes in refusal.fields.items()}
    values = {name: request.form.get(name, "") for name in FIELDS} | {"sites": request.form.getlist("sites")}
    return _index(desk.problems(refusal), values), 422


# --- shown, then confirmed -----------------------------------------------------------


@blueprint.post("/preview")
@allow("closure.declare")
def preview():
    try:
        found = preview_closure(house(), actor(), _wanted())
    except Refusal as refusal:
        return _again(refusal)
    return _shown(found)


def _shown(found: Preview, changed: Changed | None = None):
    numbers = read.numbers(house(), actor(), found)
    return render_template(
        "closures/preview.html",
        p=found,
        changed=changed,
        differences=_differences(changed) if changed else [],
        receiving=found.receiving,
        nowhere=[(numbers.get(m.patient), m) for m in found.nowhere],
        why_counts=_count(m.why for m in found.moves),
        farthest=max((m.distance_m for m in found.moves if m.distance_m), default=None),
        stays=sum(1 for m in found.moves if m.why == rules.STAYS),
        homes=sum(1 for m in found.moves if m.why == rules.HOME),
        form=request.form,
    )


def _count(words) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for each in words:
        counts[each] = counts.get(each, 0) + 1
    return sorted(counts.items(), key=lambda pair: -pair[1])


def _differences(changed: Changed) -> list[tuple[str | None, object]]:
    numbers = read.numbers(house(), actor(), changed.preview, changed.differences)
    return [(numbers.get(d.patient), d) for d in changed.differences]


@blueprint.post("")
@allow("closure.declare")
def declare():
    try:
        wanted = _wanted()
        answer = declare_closure(house(), actor(), wanted, request.form.get("digest", "")[:64], at=site())
    except Refusal as refusal:
        return _again(refusal)
    if isinstance(answer, Changed):
        return _shown(answer.preview, answer), 409
    desk.done(gettext("Closure %(number)s is declared. People are being told.", number=answer.number))
    return redirect(url_for("closures.show", closure_id=answer.id), 303)


# --- the board -------------------------------------------------------------------------


@blueprint.get("/<closure_id>")
@allow("closure.read")
def show(closure_id: str):
    return render_template("closures/show.html", **_board(closure_id))


@blueprint.get("/<closure_id>/now")
@allow("closure.read")
@quiet
def now(closure_id: str):
    """The board alone, as it stands: the page asks for it every few seconds."""
    return render_template("closures/_board.html", **_board(closure_id))


def _board(closure_id: str) -> dict:
    board = read.board(house(), actor(), closure_id)
    mine = {code for code in roster_sites(board) if read.may_open(house(), actor(), code)}
    return {
        "b": board,
        "ends": [(code, kind) for code, kind in _ends(board) if code in mine],
        "numbered": any(x.patient_number for x in board.lines),
    }


def roster_sites(board: read.Board) -> set[str]:
    return {x.from_site for x in board.lines} | {x.to_site for x in board.lines if x.to_site}


def _ends(board: read.Board) -> list[tuple[str, str]]:
    leaving = sorted({x.from_site for x in board.lines})
    coming = sorted({x.to_site for x in board.lines if x.to_site and x.to_site != x.from_site})
    return [(code, roster.LEAVING) for code in leaving] + [(code, roster.COMING) for code in coming]


@blueprint.post("/<closure_id>/undo")
@allow("closure.declare")
def undo(closure_id: str):
    done = undo_closure(house(), actor(), closure_id, at=site())
    if done.again:
        desk.done(gettext("This closure was taken back before."))
    else:
        desk.done(gettext("Taken back: %(n)s days. What was dosed meanwhile stays.", n=done.taken_back))
    return redirect(url_for("closures.show", closure_id=closure_id), 303)


# --- rosters ---------------------------------------------------------------------------


@blueprint.post("/<closure_id>/roster/<code>/<kind>")
@allow("patient.read")
def make_roster(closure_id: str, code: str, kind: str):
    """A signed roster as PDF; as HTML that prints the same where the machine cannot make one."""
    made = roster.make(house(), actor(), evaluate_at_station.store_of(house()), closure_id, code, kind)
    places_ = read.ends(house(), paper.sites_of(made), {r.day for r in made.rows})
    html = paper.render_html(made, places_, language())
    pdf, _why = render_pdf(html)
    name = f"roster-{made.closure_number}-{made.site}-{made.kind}.{'pdf' if pdf else 'html'}"
    headers = {"Content-Disposition": f"attachment; filename={name}", "Cache-Control": "no-store"}
    return Response(pdf or html, content_type="application/pdf" if pdf else "text/html; charset=utf-8", headers=headers)


@blueprint.get("/roster")
@allow("closure.read")
def roster_form():
    return render_template("closures/roster_check.html", found=None, refused=None, text="")


@blueprint.post("/roster")
@allow("closure.read")
def check_roster():
    text = request.form.get("code", "")
    try:
        found, refused = roster.check(house(), actor(), evaluate_at_station.store_of(house()), text), None
    except Refusal as refusal:
        if not refusal.code.startswith("roster_"):
            raise
        found, refused = None, refusal
    card = {"tier": "stop", **say(refused.code, refused.data)} if refused else None
    check = " ".join(found.digest[n : n + 4].upper() for n in range(0, 16, 4)) if found else ""
    page = render_template(
        "closures/roster_check.html", found=found, refused=refused, card=card, check=check, text=text[:400]
    )
    return page, 200 if found else 422
