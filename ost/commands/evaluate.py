"""`ost devices evaluate`: how well the treatment system would work with a device, as a signed report.

From a folder of captures, or live with a guide that says which finger comes next. Keeps no picture.
"""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from devices import KINDS, ReaderSettings, make_reader
from devices.evaluate import (
    BadCaptures,
    Impression,
    Kept,
    Plan,
    Session,
    SessionError,
    Sessions,
    Step,
    Store,
    StoreBroken,
    read_folder,
    read_zip,
    run,
)
from devices.evaluate.session import TRIES
from devices.evaluate.store import DOCUMENT, FILES
from devices.interface import Reader, ReaderError
from devices.readers.simulated import SimulatedReader
from ost import clock
from ost.commands.reader_options import reader_options
from ost.commands.shared import console, finish, json_option, read_settings
from ost.errors import catalogue
from ost.reports.evaluation import NO_PDF
from ost.reports.making import evaluate_captures, evaluate_session
from ost.reports.words import LANGUAGES

FOLDER = "evaluations"
#: Exit code of a live session that is to be gone on with.
PAUSED = 3
_LEVELS = {"suitable": "green", "limited": "yellow", "unsuitable": "red", "undecided": "dim"}


@click.command("evaluate")
@click.option("--captures", type=click.Path(path_type=Path), help="A folder or ZIP: person/finger/impression.png.")
@click.option("--reader", type=click.Choice(KINDS), help="Evaluate live, with this kind of reader.")
@reader_options
@click.option("--device", default="", help="What the report calls the device. [default: the folder, or what it says]")
@click.option("--cohort", default="", help="Whose fingers: evaluations of one cohort are crossed with each other.")
@click.option("--dpi", type=click.IntRange(250, 1300), help="Of the pictures. [default: 500, said as assumed]")
@click.option("--people", type=int, help="Live: how many people take part.")
@click.option("--fingers", default="right_index,left_index", show_default=True, help="Live: of each person.")
@click.option("--impressions", default=4, show_default=True, help="Live: of each finger.")
@click.option("--tries", default=TRIES, show_default=True, help="Live: touches before an impression is given up.")
@click.option("--wait", "wait_s", default=30.0, show_default=True, help="Live: seconds to wait for each touch.")
@click.option("--session", "name", default="", help="Live: its name, to go on after a break.")
@click.option("--withdraw", metavar="CODE", help="Take a participant (P03) out of the session or the cohort.")
@click.option("--finish", "finish_now", is_flag=True, help="Make the report of a session as far as it came.")
@click.option("--forget", metavar="ID", help="Delete the sealed minutiae of an evaluation; its report stays.")
@click.option("--language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="A folder. [default: OST_HOME/evaluations]")
@json_option
def command(forget: str | None, withdraw: str | None, output: Path | None, as_json: bool, **given) -> None:
    """Evaluate a fingerprint device for the treatment system, and sign a report."""
    settings = read_settings()
    store = Store(output or settings.home / FOLDER)
    ways = (given["captures"], given["reader"], given["finish_now"], forget, withdraw)
    if sum(map(bool, ways)) != 1:
        raise click.UsageError("Give one of --captures, --reader, --finish, --withdraw or --forget.")
    try:
        if forget:
            store.forget(forget)
            finish({"forgotten": forget}, as_json)
            return
        if withdraw:
            _withdraw(store, given["name"], given["cohort"], withdraw, as_json)
            return
        if given["captures"]:
            kept = _folder(store, given)
        elif given["reader"]:
            kept = _live(store, given, allow_simulated=settings.demo)
        else:
            kept = _finish_session(store, given)
    except KeyError as error:
        code = "evaluation_unknown" if forget else "evaluation_session_unknown"
        raise click.ClickException(_said(code)) from error
    except (BadCaptures, SessionError, StoreBroken, ReaderError) as error:
        raise click.ClickException(_said(error.code, getattr(error, "data", {}))) from error
    _show(kept)
    finish(kept.document, as_json)


def _folder(store: Store, given: dict) -> Kept:
    with console.status("reading") as status:
        path = given["captures"]
        return evaluate_captures(
            store,
            read_zip(path.name, path.read_bytes()) if path.is_file() else read_folder(path),
            clock.now(),
            device=given["device"],
            cohort=given["cohort"],
            dpi=given["dpi"],
            language=given["language"],
            progress=lambda done, total, what: status.update(f"{what} {done}/{total}"),
        )


def _withdraw(store: Store, name: str, cohort: str, person: str, as_json: bool) -> None:
    """From the session while it lasts, and from what evaluations of the cohort keep."""
    if not name and not cohort:
        raise click.UsageError("Say of which --session or --cohort.")
    sessions, of = Sessions(store), cohort
    if name:
        with sessions.held(name):
            session = sessions.load(name)
            session.withdraw(person)
            sessions.save(session)
            of = session.cohort
    changed = store.withdraw(of, person)
    console.print(f"{person} is withdrawn. Their minutiae are deleted, from {changed} kept evaluations too.")
    finish({"withdrawn": person, "session": name or None, "evaluations": changed}, as_json)


# --- live -------------------------------------------------------------------------


def _live(store: Store, given: dict, allow_simulated: bool) -> Kept:
    if not given["people"] or not given["name"]:
        raise click.UsageError("A live evaluation needs --people and --session.")
    fingers = tuple(finger.strip() for finger in given["fingers"].split(",") if finger.strip())
    plan = Plan(given["people"], fingers, given["impressions"], given["tries"])
    reader = make_reader(ReaderSettings(given["reader"], allow_simulated, given["options"]))
    sessions, name = Sessions(store), given["name"]
    with sessions.held(name):
        try:
            reader.open()
            device = given["device"] or _name(reader)
            session = sessions.begin(Session(name, plan, device, given["cohort"] or name, given["dpi"]))
            _greet(session, reader)
            done = run(session, sessions, reader, _asker(reader), _tell, given["wait_s"], pause=_pause)
        except (KeyboardInterrupt, click.Abort):
            done = False
        finally:
            reader.close()
        if not done:
            console.print("[yellow]Paused. Everything so far is kept, sealed; the same command goes on from here.[/]")
            raise click.exceptions.Exit(PAUSED)
        return _report(store, sessions, session, given["language"])


def _finish_session(store: Store, given: dict) -> Kept:
    if not given["name"]:
        raise click.UsageError("Say which --session.")
    sessions = Sessions(store)
    with sessions.held(given["name"]):
        return _report(store, sessions, sessions.load(given["name"]), given["language"])


def _report(store: Store, sessions: Sessions, session: Session, language: str) -> Kept:
    with console.status("comparing") as status:
        kept = evaluate_session(
            store,
            session,
            clock.now(),
            language=language,
            progress=lambda done, total, what: status.update(f"{what} {done}/{total}"),
        )
    sessions.end(session.name)
    return kept


def _name(reader: Reader) -> str:
    about = reader.about()
    return " ".join(filter(None, (about.maker, about.model))) or about.kind


def _greet(session: Session, reader: Reader) -> None:
    step = session.next()
    if step is not None and step.done:
        console.print(f"Going on with session {session.name}: {step.done} of {step.of} impressions are there.")
    if reader.simulated:
        console.print("[yellow]Simulated reader, for practice only: it touches by itself.[/]")


def _asker(reader: Reader):
    def ask(step: Step) -> None:
        finger = step.label.finger.replace("_", " ")
        again = f", try {step.tried + 1} of {step.tries}" if step.tried else ""
        console.print(
            f"[bold]{step.label.person}: {finger}[/], impression {int(step.label.impression)}{again}"
            f"  [dim]{step.done}/{step.of}[/]"
        )
        if isinstance(reader, SimulatedReader):
            # A finger of its own for each person and finger, never one of the demo's patients.
            reader.touch(900_000 + 10 * int(step.label.person[1:]) + (step.label.finger.startswith("left")))

    return ask


def _tell(step: Step, code: str, impression: Impression | None) -> None:
    if impression is not None and impression.acquired:
        quality = f", NFIQ 2 {impression.nfiq2}" if impression.nfiq2 is not None else ""
        console.print(f"  [green]Taken{quality}.[/] Lift the finger.")
    else:
        console.print(f"  [yellow]{_said(code)}[/]")


def _pause(code: str) -> bool:
    """Nobody came, or the device is away: whoever runs this decides."""
    return not click.confirm("  Go on waiting?", default=True, err=True)


# --- the answer -------------------------------------------------------------------


def _show(kept: Kept) -> None:
    document = kept.document
    table = Table(box=None, show_header=False, padding=(0, 1))
    for _column in range(3):
        table.add_column(overflow="fold")  # Chinese has no spaces to break at; else the rest of a line is left out
    for use, verdict in document["verdicts"].items():
        colour = _LEVELS[verdict["level"]]
        table.add_row(use.replace("_", " "), f"[{colour}]{verdict['level']}[/]", verdict["sentence"])
    console.print(table)
    console.print(_figures(document))
    for kind, name in FILES.items():
        if document["files"][kind]:
            console.print(f"{kind.upper()}  {kept.folder / name}")
    console.print(f"JSON {kept.folder / DOCUMENT}  (signed with {document['signature']['key_name']})")
    if not document["files"]["pdf"]:
        console.print(f"[yellow]No PDF. {NO_PDF[document['files']['pdf_missing_because']]}[/]")


def _figures(document: dict) -> str:
    if document["eer"] is None:
        return "No error rates: that takes two impressions of one finger, and two fingers."
    low, high = document["eer_interval"]
    return (
        f"EER {document['eer']:.2%} ({low:.2%} to {high:.2%}), FNMR at FMR 0.1 % "
        f"{document['fnmr_at_fmr_0_1']:.2%}, failure to acquire {document['fta']['value']:.2%}"
    )


def _said(code: str, data: dict | None = None) -> str:
    if code not in catalogue():
        return code
    message = catalogue()[code]
    return f"{message.title}. {message.detail} {message.action}" % (data or {})
