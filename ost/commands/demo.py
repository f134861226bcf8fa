"""`ost demo`: a practice system with invented people. Refuses to touch anything but a demo."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from config.settings import Settings
from ost.commands.shared import console, finish, json_option, open_house, read_settings

_STEPS = {"history": "History, by the rules", "prints": "First fingerprints"}
_ROLES = {
    "nurse": "nurse",
    "prescriber": "prescriber",
    "pharmacist": "pharmacist",
    "case_manager": "case manager",
    "registrar": "registrar",
    "admin": "administrator",
    "coordinator": "coordination centre",
}


@click.group("demo")
def command() -> None:
    """A practice system: invented people, drawn faces, synthetic fingers. Only where OST_MODE=demo."""


@command.command("load")
@click.option("--scale", type=click.Choice(["small"]), default="small", show_default=True, help="How much.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 365), help="Days of history.")
@click.option(
    "--patients",
    default=300,
    show_default=True,
    type=click.IntRange(12, 2000),
    help="People, over six sites.",
)
@click.option(
    "--fingers", default=10, show_default=True, type=click.IntRange(0, 300), help="People enrolled at once."
)
@click.option("--if-empty", is_flag=True, help="Do nothing where there is something already.")
@json_option
def load_command(scale: str, days: int, patients: int, fingers: int, if_empty: bool, as_json: bool) -> None:
    """Load the practice network into an empty database: sites, people, stock, and days of history."""
    settings = _demo_settings()
    with open_house(settings) as house:
        result = _load(settings, house, days, patients, fingers, if_empty)
    finish({"scale": scale, **result}, as_json)


@command.command("run")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=5000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on."
)
@click.pass_context
def run_command(ctx: click.Context, host: str, port: int) -> None:
    """Set up what is missing, load the demo if there is nothing yet, say who can sign in, and serve."""
    from ost.commands.init import command as init
    from ost.commands.serve import command as serve
    from ost.demo import enrol

    settings = _demo_settings()
    if not settings.keys.exists() or not _newest(settings):
        ctx.invoke(init, as_json=False)
    with open_house(settings) as house:
        _load(settings, house, days=90, patients=300, fingers=10, if_empty=True)
        beside = bool(enrol.waiting(house))
    _show_who(settings)
    _show_whom(settings)
    console.print(
        f"\n[bold]http://{'localhost' if host == '127.0.0.1' else host}:{port}[/]  Ctrl-C ends it.\n"
    )
    # Messages go out and requests expire in the demo as in real life.
    processes = [enrol.start_beside("scheduler")] + ([enrol.start_beside()] if beside else [])
    try:
        ctx.invoke(serve, host=host, port=port)
    finally:
        for process in processes:
            _end(process)


@command.command("codes")
@json_option
def codes_command(as_json: bool) -> None:
    """Who can sign in, and everybody's code as it is now."""
    settings = _demo_settings()
    shown = _show_who(settings)
    finish({"accounts": shown}, as_json)


@command.command("cards")
@click.argument("numbers", nargs=-1)
@json_option
def cards_command(numbers: tuple[str, ...], as_json: bool) -> None:
    """What the cards of the people with these NUMBERS say, and their PINs. All without NUMBERS."""
    kept = _secrets(_demo_settings())
    cards, pins = kept["cards"], kept.get("pins", {})
    wanted = {n: cards[n] for n in (numbers or sorted(cards)) if n in cards}
    if not as_json:
        for number, code in wanted.items():
            click.echo(f"{number}  {code}  PIN {pins.get(number, '-')}")
    finish({"cards": wanted, "pins": {n: pins[n] for n in wanted if n in pins}}, as_json)


@command.command("enrol")
@json_option
def enrol_command(as_json: bool) -> None:
    """Enrol everybody who has no finger yet, at the lowest priority. `ost demo run` starts it by itself."""
    from ost.demo import enrol

    settings = _demo_settings()
    parent = int(os.environ.get("OST_DEMO_BESIDE", "0"))
    os.nice(19)
    with open_house(settings) as house, _bars() as bars:
        bar = bars.add_task("Fingerprints", total=None)
        done = enrol.enrol_rest(
            house,
            settings.home,
            go_on=lambda: not parent or os.getppid() == parent,
            tell=lambda n, of: bars.update(bar, completed=n, total=of),
        )
    finish({"enrolled": done}, as_json)


# --- within ------------------------------------------------------------------


def _demo_settings() -> Settings:
    settings = read_settings()
    if not settings.demo:
        raise click.ClickException("this is not a demo: invented people come in only where OST_MODE=demo")
    return settings


def _newest(settings: Settings) -> bool:
    from ost import startup
    from ost.db import Database

    database = Database(settings.database_url)
    try:
        return startup.revision(database) == startup.head_revision(database)
    finally:
        database.close()


def _load(settings: Settings, house, days: int, patients: int, fingers: int, if_empty: bool) -> dict:
    from ost.demo import load as loading

    if not loading.is_empty(house):
        if if_empty:
            return {"loaded": False}
        raise click.ClickException(
            "there are sites here already: the demo loads only into an empty database. "
            "For a fresh one choose another OST_HOME, or remove this demo's folder."
        )
    from ost.demo.prints import FirstPrints
    from ost.services.simulate_touch import make_demo_stations
    from ost.services.verify import write_heads

    with _bars() as bars:
        tasks = {name: bars.add_task(text, total=None) for name, text in _STEPS.items()}
        prints: list[FirstPrints] = []

        def first(people: list[tuple[str, str]]) -> None:
            if fingers:
                prints.append(FirstPrints(house, people[:fingers]))

        try:
            loaded = loading.load(
                house,
                settings.home,
                loading.Size(patients, days),
                tell=lambda step, done, of: bars.update(tasks[step], completed=done, total=of),
                known=first,
            )
        except BaseException:
            for each in prints:
                each.drop()
            raise
        for each in prints:
            each.keep(lambda done, of: bars.update(tasks["prints"], completed=done, total=of))
    stations = make_demo_stations(house, settings.keys / "stations")
    write_heads(house, settings.heads)
    console.print(
        f"{loaded.patients} people at {loaded.sites} sites, {loaded.days} days: {loaded.doses} doses, "
        f"{loaded.refusals} refusals, {loaded.bottles} bottles. `ost verify` proves them."
    )
    return {
        "loaded": True,
        "patients": loaded.patients,
        "sites": loaded.sites,
        "days": loaded.days,
        "doses": loaded.doses,
        "refusals": loaded.refusals,
        "bottles": loaded.bottles,
        "stations": stations,
        "enrolled": fingers,
        "seconds": loaded.seconds,
    }


def _secrets(settings: Settings) -> dict:
    from ost.demo import secrets_file

    try:
        return secrets_file.read(settings.home)
    except secrets_file.SecretsMissing as error:
        raise click.ClickException(str(error)) from error


def _show_who(settings: Settings) -> list[dict]:
    from ost.demo import codes

    now, accounts = codes.now(), _secrets(settings)["accounts"]
    console.print("[bold]Who can sign in[/] (demo only)\n")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("name", "password", "code now", "PIN", "who"):
        table.add_column(head, overflow="fold")
    shown = []
    for a in accounts:
        code = codes.code(a["totp"], now)
        roles = ", ".join(_ROLES.get(r, r) for r in a["roles"])
        who = f"{a['display_name']} {roles}, {_where(a['sites'])}"
        table.add_row(a["username"], a["password"], f"[bold]{code}[/]", a["pin"], who)
        shown.append({k: a[k] for k in ("username", "password", "pin", "roles", "sites")} | {"code": code})
    console.print(table)
    console.print(
        f"\nCodes change in {codes.seconds_left(now)} s, each works once; `make codes` shows the next ones."
    )
    return shown


def _show_whom(settings: Settings) -> None:
    """Whom to try first at the main site's counter, and at their own page: the first of each story."""
    from ost.demo.network import SITES
    from ost.demo.plan import AT_MAIN, TOLD

    main, pins = SITES[0], _secrets(settings).get("pins", {})
    console.print(f"\n[bold]Whom to try[/] at {main.id}, {main.en} (touch as, or type the number)\n")
    for story in dict.fromkeys(AT_MAIN):
        number = f"{main.prefix}-{AT_MAIN.index(story) + 1:04d}"
        console.print(f"{number}  PIN {pins.get(number, '-')}  {TOLD[story]}")
    console.print("\nPatients sign in at [bold]/me[/] with number and PIN; `ost demo cards` has everybody's.")


def _where(sites: list[str]) -> str:
    """A whole county by its code."""
    from ost.demo.network import SITES

    for county in sorted({s.county for s in SITES}):
        if set(sites) == {s.id for s in SITES if s.county == county}:
            return county
    return "everywhere" if sites == ["*"] else ", ".join(sites)


@contextmanager
def _bars():
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as bars:
        yield bars


def _end(process: subprocess.Popen) -> None:
    """Let it finish what it is at, or end it: it goes on at the next start."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
