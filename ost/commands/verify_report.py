"""`ost devices verify-report`: whether an evaluation's report is whole, and whose key signed it."""

from __future__ import annotations

from pathlib import Path

import click

from devices.evaluate import Store, StoreBroken
from devices.evaluate.store import key_name, read_document, verify_document, verify_files
from ost.commands.evaluate import FOLDER
from ost.commands.shared import console, finish, json_option, read_settings
from ost.errors import catalogue


@click.command("verify-report")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", metavar="HEX", help="The public key of whoever made it. [default: this machine's own]")
@json_option
def command(file: Path, key: str | None, as_json: bool) -> None:
    """Check an evaluation's JSON, and the HTML and PDF that lie beside it."""
    result: dict = {"passed": False, "file": file.name}
    try:
        document = read_document(file)
        verify_document(document, key.strip().lower() if key else _own_key())
        result |= {
            "passed": True,
            "id": document["id"],
            "device": document["device"]["name"],
            "at": document["at"],
            "public_key": document["signature"]["public_key"],
            "key_name": key_name(document["signature"]["public_key"]),
        }
        result["files"] = verify_files(document, file.parent)
        beside = f", {' and '.join(result['files'])} beside it too" if result["files"] else ""
        console.print(f"[green]Whole[/]: {result['id']}, signed with {result['key_name']}{beside}.")
    except StoreBroken as error:
        message = catalogue()[error.code]
        result |= {"passed": False, "code": error.code}
        console.print(f"[red]{message.title}.[/] {message.detail} {message.action}")
    finish(result, as_json, passed=result["passed"])


def _own_key() -> str:
    store = Store(read_settings().home / FOLDER)
    if not store.has_key:
        raise StoreBroken("evaluation_key_unknown")
    return store.public_key
