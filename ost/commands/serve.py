"""`ost serve`."""

from __future__ import annotations

import click

from ost.commands.shared import read_settings


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=5000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on."
)
def command(host: str, port: int) -> None:
    """Serve pages and API. SQLite: one process with threads; PostgreSQL: OST_PROCESSES of them."""
    from ost.keys import KeysMissing
    from ost.serve import serve
    from ost.startup import NotReady

    try:
        serve(read_settings(), host, port)
    except (NotReady, KeysMissing) as error:
        raise click.ClickException(str(error)) from error
