"""`ost agent`: the program at a counter. Enrol it once with a code, then let it run."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from config.settings import Settings
from devices import KINDS, ReaderSettings, agent_status, make_reader
from devices.agent import Agent, HttpDoor, KeyFileUnsafe, Refused, StationKey, Unreachable, enrol
from devices.agent_crew import Crew
from devices.interface import Reader, ReaderError
from devices.readers.simulated import SimulatedReader
from ost.commands.agent_config import BadConfig, Plan, ReaderPlan, StationPlan
from ost.commands.agent_config import read as read_config
from ost.commands.reader_options import reader_options
from ost.commands.shared import console, finish, json_option, read_settings
from ost.errors import catalogue

_LINES = "a number lays that synthetic finger on; wet NUMBER, vanish, unplug, plug; an empty line ends"
_SERVER = "http://127.0.0.1:5000"


@click.command("agent")
@click.option("--server", help=f"Address of the server.  [default: {_SERVER}]")
@click.option(
    "--enrol", "codes", multiple=True, help="The administrator's one-time code; once per station without a key."
)
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="The station's key file.")
@click.option("--reader", type=click.Choice(KINDS), help=f"Kind of reader.  [default: {KINDS[0]}]")
@reader_options
@click.option(
    "--config", "config", type=click.Path(path_type=Path), help="Several readers or counters: a TOML file."
)
@click.option("--status", "ask", is_flag=True, help="How the running agents of this machine are, and end.")
@json_option
def command(
    server: str | None,
    codes: tuple[str, ...],
    key_file: Path | None,
    reader: str | None,
    options: dict,
    config: Path | None,
    ask: bool,
    as_json: bool,
) -> None:
    """Bring touches of this counter's readers to the server."""
    settings = read_settings()
    if ask:
        _show_status(settings, as_json)
        return
    if config and (key_file or reader or options):
        raise click.ClickException("--config names keys and readers: leave --key, --reader and --option out")
    if config:
        plan = _config(config, server)
    else:
        key = key_file or settings.home / "agent" / "station.json"
        readers = (ReaderPlan("reader", reader or KINDS[0], options),)
        plan = Plan(key.stem, server or _SERVER, (StationPlan(key, readers),))
    _run(settings, plan, codes)


def _config(path: Path, server: str | None) -> Plan:
    try:
        plan = read_config(path)
    except BadConfig as error:
        raise click.ClickException(str(error)) from error
    return plan if server is None else Plan(plan.name, server, plan.stations)


def _run(settings: Settings, plan: Plan, codes: tuple[str, ...]) -> None:
    try:
        doors = [HttpDoor(plan.server) for _ in plan.stations]
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    status = settings.home / "agent" / f"{plan.name}{agent_status.SUFFIX}"
    running = agent_status.read(status)
    if running and running["running"]:
        raise click.ClickException(
            f"an agent named {plan.name} is running already (process {running['pid']}): stop it first"
        )
    _enrol_missing(plan, doors[0], codes)
    agents = [
        Agent({r.name: _reader(settings, r) for r in station.readers}, door, _key(station.key))
        for station, door in zip(plan.stations, doors, strict=True)
    ]
    try:
        crew = Crew(agents, status)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: crew.stop())
    _practice(crew)
    console.print("Waiting for touches. Ctrl-C ends.")
    whole = crew.run(
        lambda answer: console.print(_said(answer["code"]) if answer.get("code") else answer["result"])
    )
    if not whole:
        raise click.ClickException("a station ended by itself; see the lines above")


def _enrol_missing(plan: Plan, door: HttpDoor, codes: tuple[str, ...]) -> None:
    """Each code makes the key of the next station that has none."""
    missing = [station.key for station in plan.stations if not station.key.exists()]
    if len(codes) > len(missing):
        raise click.ClickException(
            f"{len(codes)} codes for {len(missing)} stations without a key: an enrolled station needs none; "
            "to enrol one anew, remove its key file first"
        )
    for code, path in zip(codes, missing, strict=False):
        try:
            key = enrol(door, code, path)
        except Refused as error:
            raise click.ClickException(_said(error.code)) from error
        except Unreachable as error:
            raise click.ClickException(
                f"the server did not answer ({error}): check --server and the line"
            ) from error
        console.print(f"Enrolled as station {key.station}.")


def _key(path: Path) -> StationKey:
    try:
        return StationKey.load(path)
    except FileNotFoundError:
        raise click.ClickException(
            f"{path.name}: this station is not enrolled yet: run ost agent --enrol CODE"
        ) from None
    except KeyFileUnsafe as error:
        raise click.ClickException(str(error)) from error


def _reader(settings: Settings, plan: ReaderPlan) -> Reader:
    """Not open yet: the agent waits for a device that is not plugged in."""
    try:
        return make_reader(ReaderSettings(plan.kind, settings.demo, plan.options))
    except ReaderError as error:
        raise click.ClickException(_said(error.code)) from error


# --- how it is -----------------------------------------------------------------------


def _show_status(settings: Settings, as_json: bool) -> None:
    """Exit code 1 when none runs, or one that should does not."""
    files = sorted((settings.home / "agent").glob(f"*{agent_status.SUFFIX}"))
    found = {path.name.removesuffix(agent_status.SUFFIX): agent_status.read(path) for path in files}
    agents = {name: status for name, status in found.items() if status is not None}
    if not agents:
        console.print("No agent is running here. Start it: ost agent")
    for name, status in agents.items():
        _show_one(name, status)
    running = bool(agents) and all(status["running"] for status in agents.values())
    finish({"agents": agents, "running": running}, as_json, passed=running)


def _show_one(name: str, status: dict) -> None:
    if not status["running"]:
        console.print(
            f"{name}: not running; it ended without a goodbye {_span(status['age_s'])} ago. Start it: ost agent"
        )
        return
    console.print(f"{name}: running, process {status['pid']}")
    for station in status["stations"]:
        since = _span(max(0.0, status["at_s"] - station["since_s"]))
        console.print(f"  station {station['station']}: server {station['server']} for {since}", end="")
        console.print(f", last answer {station['last_answer'] or 'none'}")
        for reader in station["readers"]:
            counts = ", ".join(f"{reader[what]} {what}" for what in ("touches", "refused", "dropped"))
            console.print(f"    {reader['name']} ({reader['kind']}): {reader['state']}; {counts}")
            about = [reader[what] for what in ("maker", "model", "serial", "firmware") if reader[what]]
            if about:
                console.print(f"      {', '.join(about)}; liveness declared: {reader['liveness'] or 'none'}")
            if reader["trouble"]:
                console.print(f"      {_said(reader['trouble'])}")


def _span(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


# --- practice ------------------------------------------------------------------------


def _practice(crew: Crew) -> None:
    """A simulated reader is worked from the keyboard, where there is one."""
    reader = crew.agents[0].reader
    if not isinstance(reader, SimulatedReader):
        return
    console.print(f"[yellow]Simulated reader, for practice only.[/] {_LINES}")
    threading.Thread(target=_listen, args=(crew, reader), daemon=True).start()


def _listen(crew: Crew, reader: SimulatedReader) -> None:
    """What is typed becomes touches of the simulated reader. Without a keyboard it just waits."""
    for line in _typed():
        if not line.strip():
            crew.stop()
            return
        try:
            match line.split():
                case ["unplug"]:
                    reader.unplug()
                case ["plug"]:
                    reader.plug_in()
                case ["vanish"]:
                    reader.vanish()
                case [condition, finger] if finger.isdigit():
                    reader.touch(int(finger), condition)
                case [finger] if finger.isdigit():
                    reader.touch(int(finger))
                case _:
                    console.print(_LINES)
        except (ValueError, RuntimeError) as error:
            console.print(str(error))


def _typed() -> Iterator[str]:
    """Lines of standard input, past Python's buffer: a thread that waits in that one cannot be left at the end."""
    kept = b""
    while more := os.read(0, 4096):
        *lines, kept = (kept + more).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def _said(code: str) -> str:
    """What the catalogue says of a code, in one line."""
    if code not in catalogue():
        return code
    message = catalogue()[code]
    return f"{message.title}. {message.action}"
