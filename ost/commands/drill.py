"""`ost drill`: what must never happen, tried for real."""

from __future__ import annotations

import click

from ost.commands.shared import console, finish, json_option


@click.group("drill")
def command() -> None:
    """Try what must never happen, on throw-away databases; exit code 1 where it happened."""


@command.command("double-dose")
@click.option(
    "--engine", type=click.Choice(["both", "postgresql", "sqlite"]), default="both", show_default=True
)
@click.option("--requests", default=64, show_default=True, type=click.IntRange(2, 200))
@click.option("--kills", default=5, show_default=True, type=click.IntRange(1, 100))
@click.option("--seed", type=int, default=None, help="Repeats the moments of the kills.")
@json_option
def double_dose(engine: str, requests: int, kills: int, seed: int | None, as_json: bool) -> None:
    """Many requests for one dose; a bottle's last doses; a server killed in the middle."""
    from ost.bench.network import ENGINES
    from ost.drills.double_dose import double_dose as drill

    engines = ENGINES if engine == "both" else (engine,)
    with console.status("starting") as status:
        result = drill(engines, requests, kills, tell=status.update, seed=seed)
    for name in engines:
        for part, counts in result[name].items():
            mark = "passed" if counts["passed"] else "FAILED"
            shown = ", ".join(f"{k} {v}" for k, v in counts.items() if k not in ("passed", "problems"))
            console.print(f"{name} {part}: {mark} ({shown})")
    finish(result, as_json, passed=result["passed"])


@command.command("guest")
@click.option(
    "--engine", type=click.Choice(["both", "postgresql", "sqlite"]), default="postgresql", show_default=True
)
@click.option("--patients", default=500, show_default=True, type=click.IntRange(4, 5000))
@click.option("--sites", default=30, show_default=True, type=click.IntRange(3, 200))
@click.option("--days", default=60, show_default=True, type=click.IntRange(1, 300))
@click.option("--seed", type=int, default=None, help="The same story again, but for what races decide.")
@json_option
def guest(engine: str, patients: int, sites: int, days: int, seed: int | None, as_json: bool) -> None:
    """Weeks of guest dosing with closures, lost messages, changed minds and races; looked over many times a day."""
    from ost.bench.network import ENGINES
    from ost.drills.guest.run import guest as drill

    engines = ENGINES if engine == "both" else (engine,)
    with console.status("starting") as status:
        result = drill(engines, patients=patients, sites=sites, days=days, seed=seed, tell=status.update)
    for name in engines:
        part = result[name]
        mark = "passed" if part["passed"] else "FAILED"
        console.print(
            f"{name}: {mark}; {part['guest_days_attended']} guest days attended, {part['rows']} record rows verified,"
            f" everything checked {part['checked']} times; seed {result['seed']}"
        )
        for wrong in part["wrong"]:
            console.print(f"  {wrong}")
    finish(result, as_json, passed=result["passed"])
