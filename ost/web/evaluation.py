"""Evaluations of devices: the list with its verdicts, one report, the crossing of all devices, and making one from an
archive of captures or live at a reader of this site. Nobody is named here and no print is shown."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext

from devices.evaluate import BadCaptures, Plan, Session, SessionError, Sessions, Store, read_zip
from devices.evaluate.store import DOCUMENT, FILES
from ost.answers import say
from ost.errors import N_, Refusal, catalogue
from ost.http import actor, allow, holds, house, quiet, site
from ost.i18n import language
from ost.reports import runs
from ost.reports.evaluation import matrix_view, view
from ost.reports.making import evaluate_captures, evaluate_session
from ost.reports.words import Words
from ost.services import evaluate_at_station as at_station
from ost.services import evaluations, station_task
from ost.services.templates import FINGERS
from ost.web import desk

#: An archive of captures: 800 pictures have about 80 MB.
MAX_UPLOAD_BYTES = 200_000_000
FOLDER = "evaluations"
_TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf", "json": "application/json"}
_NAMES = {"json": DOCUMENT, **FILES}
#: What a run in the background is doing.
STEPS = {
    "waiting": N_("Waiting for another evaluation to end"),
    "extraction": N_("Reading the prints"),
    "matching": N_("Comparing every print with every other"),
    "crossing": N_("Comparing with other devices"),
    "report": N_("Writing the report"),
}

blueprint: Blueprint = desk.make_blueprint("evaluation", __name__, "/evaluations")


@blueprint.record
def _install(state: BlueprintSetupState) -> None:
    kept = state.app.extensions["ost"]
    state.app.config["LARGE_BODIES"]["evaluation.upload"] = MAX_UPLOAD_BYTES
    kept.house.memo[at_station.STORE] = Store(kept.settings.home / FOLDER)


def store() -> Store:
    return at_station.store_of(house())


# --- reading -------------------------------------------------------------------------


@blueprint.get("")
@allow("device.evaluation_read")
def index():
    return _index()


def _index(errors: dict | None = None, values: dict | None = None) -> str:
    words = Words(language())
    kept, altered = evaluations.kept(store())
    cohorts: dict[str, dict] = {}
    for each in kept:  # the newest of a cohort is crossed with all before it
        cohorts.setdefault(each.document["cohort"], matrix_view(each.document, words))
    may = holds("device.evaluate") and site() is not None
    sessions, broken = at_station.of_site(house(), desk.here()) if may else ([], [])
    return render_template(
        "evaluation/index.html",
        kept=[view(each.document, language()) for each in kept],
        matrices={name: found for name, found in cohorts.items() if len(found["sides"]) > 1},
        altered=[(f"{each} · ", say("evaluation_altered")) for each in altered] + [("", say(code)) for code in broken],
        may=may,
        sessions=[_left(session) for session in sessions],
        errors=errors or {},
        values=values or {},
        counters=desk.counters() if may else [],
        fingers=desk.choices(FINGERS),
    )


def _left(session) -> dict:
    step = session.next()
    return {"name": session.name, "device": session.device, "left": 0 if step is None else step.of - step.done}


@blueprint.get("/<evaluation>")
@allow("device.evaluation_read")
def show(evaluation: str):
    kept = evaluations.one(store(), evaluation)
    return render_template(
        "evaluation/show.html",
        kept=kept,
        may=holds("device.evaluate") and site() is not None,
        **view(kept.document, language()),
    )


@blueprint.get("/<evaluation>/<kind>")
@allow("device.evaluation_read")
def download(evaluation: str, kind: str):
    """The report as it was signed."""
    kept = evaluations.one(store(), evaluation)
    path = kept.folder / _NAMES.get(kind, "")
    if kind not in _NAMES or not path.is_file():
        raise Refusal("evaluation_unknown")
    name = f"evaluation-{kept.id}.{kind}"
    headers = {"Content-Disposition": f"attachment; filename={name}", "Cache-Control": "no-store"}
    return Response(path.read_bytes(), content_type=_TYPES[kind], headers=headers)


@blueprint.post("/<evaluation>/forget")
@allow("device.evaluate")
def forget(evaluation: str):
    evaluations.forget(house(), actor(), desk.here(), store(), evaluation)
    desk.done(gettext("The minutiae are deleted. The report stays; nothing can be compared with it any more."))
    return redirect(url_for("evaluation.show", evaluation=evaluation), 303)


# --- from an archive ----------------------------------------------------------------


@blueprint.post("/upload")
@allow("device.evaluate")
def upload():
    """A ZIP of captures as the body of the request, so that it never lies in a temporary file."""
    at_station.require(house(), actor(), at_station.PERMISSION, desk.here())
    if request.mimetype != "application/zip":
        raise Refusal("captures_no_archive")
    given = {name: request.args.get(name, "").strip()[:80] for name in ("name", "device", "cohort", "dpi")}
    try:
        dpi = int(given["dpi"]) if given["dpi"] else None
        if dpi is not None and not 250 <= dpi <= 1300:
            raise ValueError
    except ValueError:
        raise Refusal("input_invalid", fields={"dpi": ["input_invalid"]}) from None
    try:
        captures = read_zip(given["name"] or "captures.zip", request.get_data(cache=False))
    except BadCaptures as error:
        raise Refusal(error.code, **error.data) from error

    now, said, kept_in, where = house().now, language(), store(), desk.here()

    def job(progress):
        return evaluate_captures(
            kept_in,
            captures,
            now(),
            device=given["device"],
            cohort=given["cohort"],
            dpi=dpi,
            language=said,
            how="upload",
            site=where,
            progress=progress,
        )

    run = _start(job)
    return jsonify({"url": url_for("evaluation.run", run=run.id)})


def _start(job) -> runs.Run:
    """In the background, and into the audit chain when it is done."""
    my_house, who, where = house(), actor(), desk.here()

    def recorded(progress):
        made = job(progress)
        evaluations.record(my_house, who, where, made)
        return made

    return runs.start(store(), recorded, my_house.now)


@blueprint.get("/runs/<run>")
@allow("device.evaluation_read")
def run(run: str):
    return render_template("evaluation/run.html", **_run(run))


@blueprint.get("/runs/<run>/progress")
@allow("device.evaluation_read")
@quiet
def run_progress(run: str):
    return render_template("evaluation/_run.html", **_run(run))


def _run(run: str) -> dict:
    found = runs.find(store(), run)
    if found is None:
        raise Refusal("evaluation_unknown")
    lost = found.lost(house().now())
    failure = {"code": "evaluation_run_lost"} if lost else {"code": found.code, **(found.data or {})}
    return {
        "run": found,
        "lost": lost,
        "step": gettext(STEPS[found.what]) if found.what in STEPS else found.what,
        "failure": _reason(failure.pop("code"), failure) if lost or found.state == runs.FAILED else None,
    }


def _reason(code: str, data: dict) -> dict:
    return {**say(code, data), "tier": "stop", "code": code}


# --- live, at a reader of this site ----------------------------------------------------


@blueprint.post("/sessions")
@allow("device.evaluate")
def begin():
    form = desk.given("session", "device", "cohort", "people", "impressions")
    fingers = tuple(request.form.getlist("fingers"))
    try:
        plan = Plan(_number(form["people"]), fingers, _number(form["impressions"]))
        name = form["session"]
        planned = Session(name, plan, form["device"][:80] or name, form["cohort"][:80] or name, site=desk.here())
        at_station.begin(house(), actor(), desk.here(), planned)
    except (SessionError, Refusal) as error:
        if error.code == "not_permitted":
            raise
        said = desk.problems(Refusal(error.code, fields={"session": [error.code]}))
        return _index(said, {**form, "fingers": fingers}), 422
    return redirect(url_for("evaluation.session", name=name), 303)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


@blueprint.get("/sessions/<name>")
@allow("device.evaluate")
def session(name: str):
    return render_template("evaluation/session.html", **_session(name))


@blueprint.get("/sessions/<name>/now")
@allow("device.evaluate")
@quiet
def session_now(name: str):
    return render_template("evaluation/_session.html", **_session(name))


def _session(name: str) -> dict:
    found = at_station.load(house(), name, desk.here())
    where = evaluations.stations_here(house(), desk.here())
    tasks = [(each, station_task.last(house(), each.station)) for each in where]
    mine = [(each, task) for each, task in tasks if task is not None and task.session == name]
    live = next(((each, task) for each, task in mine if task.until > house().now()), None)
    return {
        "session": found,
        "step": found.next(),
        "stations": where,
        "live": live[0] if live else None,
        "said": mine[0][1].said if mine else None,
        "title_of": lambda code: say(code, {})["title"] if code in catalogue() else code,
        "taken": len(found.impressions),
        "gone": found.withdrawn,
    }


@blueprint.post("/sessions/<name>/attend")
@allow("device.evaluate")
def attend(name: str):
    where = evaluations.station_of(house(), desk.here(), request.form.get("counter", ""))
    at_station.attend(house(), actor(), desk.here(), where.station, name)
    return redirect(url_for("evaluation.session", name=name), 303)


@blueprint.post("/sessions/<name>/pause")
@allow("device.evaluate")
def pause(name: str):
    for each in evaluations.stations_here(house(), desk.here()):
        task = station_task.now(house(), each.station)
        if task is not None and task.session == name:
            at_station.pause(house(), actor(), each.station)
    return redirect(url_for("evaluation.session", name=name), 303)


@blueprint.post("/sessions/<name>/withdraw")
@allow("device.evaluate")
def withdraw(name: str):
    person = request.form.get("person", "").strip().upper()
    at_station.withdraw(house(), actor(), desk.here(), name, person)
    desk.done(gettext("%(person)s is withdrawn. What was kept of their fingers is deleted.", person=person))
    return redirect(url_for("evaluation.session", name=name), 303)


@blueprint.post("/sessions/<name>/finish")
@allow("device.evaluate")
def finish(name: str):
    """Make the report of what was taken, all of the plan or not."""
    at_station.require(house(), actor(), at_station.PERMISSION, desk.here())
    standing = at_station.load(house(), name, desk.here())
    pause(name)
    sessions = Sessions(store())
    if not standing.impressions:
        raise Refusal("captures_none")

    now, said, kept_in = house().now, language(), store()

    def job(progress):
        with sessions.held(name):
            try:
                whole = sessions.load(name)
            except KeyError:  # the button was pressed twice, and the first has made the report
                raise SessionError("evaluation_session_unknown") from None
            made = evaluate_session(kept_in, whole, now(), language=said, how="station", progress=progress)
            sessions.end(name)
        return made

    return redirect(url_for("evaluation.run", run=_start(job).id), 303)
