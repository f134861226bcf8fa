"""`ost agent`: the program at a counter. Enrol it once with a code, then let it run."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path

import click

from config.settings import Settings
from devices import KINDS, ReaderSettings, make_reader
from devices.agent import Agent, HttpDoor, KeyFileUnsafe, Refused, StationKey, Unreachable, enrol
from devices.interface import ReaderError
from devices.readers.simulated import SimulatedReader
from ost.commands.reader_options import reader_options
from ost.commands.shared import console, read_settings
from ost.errors import catalogue

_LINES = "a number lays that synthetic finger on; wet NUMBER, vanish, unplug, plug; an empty line ends"


@click.command("agent")
@click.option("--server", default="http://127.0.0.1:5000", show_default=True, help="Address of the server.")
@click.option("--enrol", "code", help="The administrator's one-time code; needed once.")
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="The station's key file.")
@click.option("--reader", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="Kind of reader.")
@reader_options
def command(server: str, code: str | None, key_file: Path | None, reader: str, options: dict) -> None:
    """Bring touches of this counter's reader to the server."""
    settings = read_settings()
    path = key_file or settings.home / "agent" / "station.json"
    try:
        door = HttpDoor(server)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if code:
        _enrol(door, code, path)
    agent = Agent(_reader(settings, reader, options), door, _key(path))
    _run(agent)


def _enrol(door: HttpDoor, code: str, path: Path) -> None:
    try:
        key = enrol(door, code, path)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from error
    except Refused as error:
        raise click.ClickException(_said(error.code)) from error
    except Unreachable as error:
        raise click.ClickException(f"the server did not answer ({error}): check --server and the line") from error
    console.print(f"Enrolled as station {key.station}.")


def _key(path: Path) -> StationKey:
    try:
        return StationKey.load(path)
    except FileNotFoundError:
        raise click.ClickException("this station is not enrolled yet: run ost agent --enrol CODE") from None
    except KeyFileUnsafe as error:
        raise click.ClickException(str(error)) from error


def _reader(settings: Settings, kind: str, options: dict):
    """Not open yet: the agent waits for a device that is not plugged in."""
    try:
        return make_reader(ReaderSettings(kind, settings.demo, options))
    except ReaderError as error:
        raise click.ClickException(_said(error.code)) from error


def _run(agent: Agent) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: agent.stop())
    if isinstance(agent.reader, SimulatedReader):
        console.print(f"[yellow]Simulated reader, for practice only.[/] {_LINES}")
        threading.Thread(target=_listen, args=(agent,), daemon=True).start()
    console.print("Waiting for touches. Ctrl-C ends.")
    agent.run(lambda answer: console.print(_said(answer["code"]) if answer.get("code") else answer["result"]))


def _listen(agent: Agent) -> None:
    """What is typed becomes touches of the simulated reader."""
    reader = agent.reader
    for line in iter(lambda: click.get_text_stream("stdin").readline().strip(), ""):
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
    agent.stop()


def _said(code: str) -> str:
    """What the catalogue says of a code, in one line."""
    if code not in catalogue():
        return code
    message = catalogue()[code]
    return f"{message.title}. {message.action}"
