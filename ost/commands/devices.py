"""`ost devices`: which readers are plugged in, whether one can be used, and what to do when not.

Shows and keeps no print: a touch is judged in memory and forgotten.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module

import click
from rich.markup import escape
from rich.table import Table

from devices import KINDS, ReaderSettings, make_reader
from devices.discover import Found, discover, find_one
from devices.fingerprints import FingerprintError, TooFewCylinders
from devices.interface import (
    CLOSED,
    GIVES_IMAGE,
    GIVES_OWN_MATCHING,
    IMAGE_FORMATS,
    ISO_TEMPLATE,
    About,
    Captured,
    Reader,
    ReaderError,
    ReaderRefused,
    Sample,
)
from ost.commands.reader_options import reader_options, typed_options
from ost.commands.shared import console, finish, json_option, read_settings
from ost.errors import catalogue

#: Files of this package whose `command` is a command of this group.
SUBCOMMANDS = ("evaluate", "verify_report")

#: Kinds that nobody can find by looking: they need an option.
_TELL = {
    "folder": "a folder that pictures or templates are dropped into: ost devices probe folder --option path=FOLDER",
    "http_json": "a maker's own service at another address: ost devices probe http_json --option url=ADDRESS",
}

_GIVES = {
    GIVES_IMAGE: "pictures: first class, extracted here",
    "template": "ISO templates: second class, the maker's extractor costs accuracy against prints of other readers",
    GIVES_OWN_MATCHING: "its own matching only: it cannot recognise a guest from another site",
}


@click.group("devices")
def command() -> None:
    """Readers at this machine: list, try and evaluate them."""


# --- list -----------------------------------------------------------------------


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show the readers that are plugged in, and what to do where one cannot be used."""
    with console.status("Looking ..."):
        found = discover()
    table = Table(box=None, show_header=False, padding=(0, 1))
    for _column in range(4):
        table.add_column(overflow="fold")  # an address or a path is no use without its end
    for each in found:
        mark = "[red]no[/]" if each.trouble else "[green]ok[/]"
        table.add_row(mark, each.kind, escape(each.label), escape(_state(each)))
    if found:
        console.print(table)
    else:
        console.print("No reader was found at this machine.")
    for kind, text in _TELL.items():
        if kind in KINDS and not any(each.kind == kind for each in found):
            console.print(f"[dim]Not looked for: {text}[/]")
    finish({"devices": [_row(each) for each in found], "usable": sum(not f.trouble for f in found)}, as_json)


def _state(found: Found) -> str:
    if not found.trouble:
        return f"ost devices probe {found.kind} {typed_options(found.options)}".strip()
    about = f" ({found.detail})" if found.detail else ""
    return "\n".join([f"{sentence(found.trouble)}{about}", *(f"  {line}" for line in found.todo)])


def _row(found: Found) -> dict:
    return {
        "kind": found.kind,
        "label": found.label,
        "options": dict(found.options),
        "trouble": found.trouble,
        "detail": found.detail,
        "says": sentence(found.trouble) if found.trouble else None,
        "todo": list(found.todo),
        "about": asdict(found.about) if found.about else None,
    }


# --- probe ------------------------------------------------------------------------


@command.command("probe")
@click.argument("kind", type=click.Choice(KINDS))
@reader_options
@click.option("--touch", is_flag=True, help="Take one touch and say how good it is. It is not kept.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(1, 120), default=20.0, show_default=True, help="Seconds."
)
@json_option
def probe(kind: str, options: dict, touch: bool, wait_s: float, as_json: bool) -> None:
    """Open one reader and say what it is and what it gives."""
    result: dict = {"passed": False, "kind": kind, "state": CLOSED}
    try:
        reader = make_reader(ReaderSettings(kind, allow_simulated=read_settings().demo, options=options))
    except ReaderError as error:
        _unusable(result, error, as_json)
        return
    try:
        reader.open()
        result |= {"passed": True, "state": reader.state()} | _library(reader)
        if touch:
            console.print("Lay a finger on the reader.")
            result |= _touch(reader, wait_s)
        result["about"] = asdict(reader.about())
    except ReaderError as error:
        result["about"] = asdict(reader.about())
        _unusable(result, error, as_json)
        return
    finally:
        reader.close()
    _show(result, reader.about())
    finish(result, as_json, passed=result["passed"])


def _unusable(result: dict, error: ReaderError, as_json: bool) -> None:
    detail = getattr(error, "about", str(error))
    result |= {"code": error.code, "says": sentence(error.code), "detail": detail}
    # What the driver finds at this machine knows the exact line to type.
    todo = [line for each in find_one(result["kind"]) if each.trouble == error.code for line in each.todo]
    result["todo"] = list(dict.fromkeys(todo))
    console.print(f"[red]{result['says']}[/]" + (escape(f" ({detail})") if detail else ""))
    for line in result["todo"]:
        console.print(f"  {escape(line)}")
    finish(result, as_json, passed=False)


def _library(reader: Reader) -> dict:
    """How full the device's own library of templates is, where it has one: {"library": {"filled", "slots"}}."""
    if not hasattr(reader, "library"):
        return {}
    library = reader.library()
    try:
        return {"library": {"filled": library.count(), "slots": library.capacity()}}
    except ReaderRefused as error:
        return {"library": {"says": str(error)}}  # it takes pictures all the same


def _touch(reader: Reader, wait_s: float) -> dict:
    """What one touch came to: {"passed", "touch": {...}}. The sample ends with this function."""
    captured = reader.capture(wait_s)
    if not isinstance(captured, Captured):
        return {"passed": False, "state": reader.state(), "touch": {"code": captured.code}}
    said: dict = {"format": captured.sample.format, "declared_dpi": captured.sample.dpi}
    try:
        _quality(captured.sample, said)
    except FingerprintError as error:
        said["code"] = "touch_again" if isinstance(error, TooFewCylinders) else error.code
    return {"passed": "code" not in said, "touch": said}


def _quality(sample: Sample, said: dict) -> None:
    """Put into `said` how good a sample is, in figures, as far as it gets: FingerprintError where it cannot be used."""
    from devices.fingerprints import PREFER_CYLINDERS, assess, decode, load_image
    from devices.fingerprints.cylinders import cylinders
    from devices.fingerprints.extract import extract
    from devices.fingerprints.ridges import estimate_dpi

    if sample.format in IMAGE_FORMATS:
        image = load_image(sample.data)
        estimate = estimate_dpi(image)
        if estimate:
            names = ("estimated_dpi", "estimated_dpi_low", "estimated_dpi_high")
            said |= dict(zip(names, (round(v) for v in estimate), strict=True))
            if sample.dpi:
                said["resolution_plausible"] = estimate[1] <= sample.dpi <= estimate[2]
        minutiae = extract(image, sample.dpi)
        said |= {"height_px": image.shape[0], "width_px": image.shape[1]}
        said |= asdict(assess(image, sample.dpi, minutiae))
    elif sample.format == ISO_TEMPLATE:
        minutiae = decode(sample.data)
        said |= {"minutiae": len(minutiae), "valid_cylinders": len(cylinders(minutiae))}
    else:
        return
    if not cylinders(minutiae).enough:
        raise TooFewCylinders("too few cylinders")
    said["good_for_enrolment"] = said["valid_cylinders"] >= PREFER_CYLINDERS


def _show(result: dict, about: About) -> None:
    table = Table(box=None, show_header=False, padding=(0, 1))
    gives = _GIVES[about.gives] + (f", {about.dpi} dpi" if about.dpi else "")
    rows = {
        "state": result["state"],
        "gives": gives,
        "modality": about.modality,
        "maker": about.maker,
        "model": about.model,
        "serial": about.serial,
        "firmware": about.firmware,
        "liveness": f"{about.liveness} (as it declares itself; nothing here tests it)",
        "simulated": "yes, for practice only" if about.simulated else None,
    }
    if library := result.get("library"):
        filled = library.get("says") or "{filled} of {slots} slots filled".format(**library)
        rows["own library"] = f"{filled} (prints on the device itself; never used to recognise anybody)"
    touch = result.get("touch", {})
    rows |= {
        name.replace("_", " "): str(value)
        for name, value in touch.items()
        if name != "code" and value is not None
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, escape(value))
    console.print(table)
    if "code" in touch:
        console.print(f"[red]{sentence(touch['code'])}[/]")
    if touch.get("resolution_plausible") is False:
        console.print("[red]The ridges do not fit the resolution that the reader declares.[/]")


def sentence(code: str) -> str:
    """What the catalogue says of a code: what happened, and what to do."""
    message = catalogue()[code]
    return f"{message.title}. {message.action}"


for _module in SUBCOMMANDS:
    command.add_command(import_module(f"ost.commands.{_module}").command)
