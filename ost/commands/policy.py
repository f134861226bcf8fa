"""`ost policy`: look at the policy packs; nothing is changed here."""

from __future__ import annotations

from datetime import date

import click
from rich.table import Table

from ost import policies
from ost.commands.shared import console, finish, json_option
from ost.rules.policy import PolicyError, diff

_MARKS = {"law": "green", "guideline": "green", "weak": "yellow", "open": "yellow"}


@click.group("policy")
def command() -> None:
    """Policy packs: check them, show them, compare two."""


@command.command("lint")
@click.argument("names", nargs=-1)
@json_option
def lint_packs(names: tuple[str, ...], as_json: bool) -> None:
    """Refuse what has no source, no unit, or contradicts itself. All packs, or NAMES."""
    problems = []
    try:
        for name in names or policies.available():
            found = policies.lint_pack(name)
            problems += [(name, str(problem)) for problem in found]
            console.print(f"{name}: {'[green]clean[/]' if not found else f'[red]{len(found)} problems[/]'}")
    except PolicyError as error:
        raise click.ClickException(str(error)) from error
    for name, problem in problems:
        console.print(f"  {name}: {problem}", markup=False)
    rows = [{"policy": name, "problem": problem} for name, problem in problems]
    finish({"passed": not problems, "problems": rows}, as_json, passed=not problems)


@command.command("show")
@click.argument("name")
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="Only what is in force on this day.")
@click.option("--weak", is_flag=True, help="Only what needs local approval.")
@json_option
def show(name: str, on, weak: bool, as_json: bool) -> None:
    """Every value of pack NAME with unit, enforcement, source and status."""
    policy = _policy(name)
    day: date | None = on.date() if on else None
    values = [v for v in policy.values if (day is None or v.in_force(day)) and (not weak or v.needs_approval)]
    console.print(f"[bold]{policy.name}[/]  {policy.digest[:12]}  {len(values)} values")
    for v in values:
        approval = ", needs local approval" if v.needs_approval else ""
        console.print(
            f"\n[bold]{v.key}[/]  [{_MARKS[v.status]}]{v.status}{approval}[/]  {v.enforcement}{_dates(v)}"
        )
        console.print(f"  {_short(v.value)} {v.unit}", markup=False)
        console.print(f"  {v.source}", markup=False, style="dim")
    rows = [
        {
            "key": v.key,
            "value": _plain(v.value),
            "unit": v.unit,
            "enforcement": v.enforcement,
            "override_by": list(v.override_by),
            "source": v.source,
            "status": v.status,
            "from": v.effective_from,
            "to": v.effective_to,
            "digest": v.digest,
        }
        for v in values
    ]
    finish({"name": policy.name, "digest": policy.digest, "values": rows}, as_json)


@command.command("diff")
@click.argument("before")
@click.argument("after")
@json_option
def compare(before: str, after: str, as_json: bool) -> None:
    """What pack AFTER says otherwise than pack BEFORE."""
    found = diff(_policy(before), _policy(after))
    table = Table()
    for head in ("value", before, after):
        table.add_column(head, overflow="fold")
    for d in found:
        table.add_row(d.key, _all(d.before), _all(d.after))
    console.print(table)
    rows = [
        {
            "key": d.key,
            "before": [_plain(v.value) for v in d.before],
            "after": [_plain(v.value) for v in d.after],
        }
        for d in found
    ]
    finish({"before": before, "after": after, "differences": rows}, as_json)


def _policy(name: str):
    try:
        return policies.policy(name)
    except PolicyError as error:
        raise click.ClickException(str(error)) from error


def _all(values) -> str:
    return "\n".join(f"{_short(v.value)} {v.unit} ({v.enforcement}, {v.status})" for v in values) or "-"


def _dates(v) -> str:
    return f"  {v.effective_from or ''}..{v.effective_to or ''}" if v.effective_from or v.effective_to else ""


def _short(value) -> str:
    if isinstance(value, tuple):
        rows = any(hasattr(each, "items") for each in value)
        return ("\n  " if rows else ", ").join(_short(each) for each in value)
    if hasattr(value, "items"):
        return ", ".join(f"{k} {each}" for k, each in value.items())
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _plain(value):
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "items"):
        return {k: _plain(each) for k, each in value.items()}
    return value
