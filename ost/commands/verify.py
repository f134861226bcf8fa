"""`ost verify`: walk rows, chains, heads and registers, and say where they break."""

from __future__ import annotations

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ost.commands.shared import console, finish, json_option, open_house, read_settings

#: More than this is not a list to read: the JSON has them all.
_SHOWN = 50


@click.command("verify")
@json_option
def command(as_json: bool) -> None:
    """Walk every record, chain and register. Changes nothing; exit code 1 when something does not hold."""
    from ost.services.verify import verify

    settings = read_settings()
    with open_house(settings) as house:
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        ) as bars:
            bar = bars.add_task("Reading the chains")
            report = verify(
                house,
                settings.heads if settings.heads.is_dir() else None,
                lambda what, n: bars.update(bar, description=f"{n:,} {what} read"),
            )
    if report.problems:
        table = Table(title=f"{len(report.problems)} problems", title_justify="left")
        table.add_column("what")
        table.add_column("where", overflow="fold")
        for problem in report.problems[:_SHOWN]:
            where = ", ".join(f"{k} {v}" for k, v in problem.items() if k != "what")
            table.add_row(problem["what"], where)
        console.print(table)
        if len(report.problems) > _SHOWN:
            console.print(f"The first {_SHOWN}; --json lists all.")
    else:
        console.print("Everything holds: rows, chains, heads and registers.")
    console.print(
        f"{report.events:,} events, {report.rows:,} record rows, "
        f"{report.bottles:,} bottles, {report.lines:,} register lines"
    )
    result = {
        "passed": report.passed,
        "events": report.events,
        "rows": report.rows,
        "bottles": report.bottles,
        "lines": report.lines,
        "problems": report.problems,
    }
    finish(result, as_json, passed=report.passed)
