"""`ost bench`: figures, measured here and now. Ratios in one run where time is involved."""

from __future__ import annotations

from pathlib import Path

import click

from ost.commands.shared import console, finish, json_option


@click.group("bench")
def command() -> None:
    """Measure the program on throw-away databases and on the data you name."""


@command.command("dose")
@click.option("--clients", default=16, show_default=True, type=click.IntRange(1, 64))
@click.option("--doses", default=60, show_default=True, type=click.IntRange(5, 1000), help="Of each client.")
@json_option
def dose(clients: int, doses: int, as_json: bool) -> None:
    """Complete doses per second over HTTP on PostgreSQL, and the bare database beside it."""
    from ost.bench.dose import bench_dose

    with console.status("starting PostgreSQL") as status:
        result = bench_dose(clients, doses, tell=status.update)
    console.print(
        f"{result['complete_per_s']} complete doses/s, bare {result['bare_per_s']}/s: "
        f"ratio {result['ratio']} (target {result['target']}, defect below {result['defect_below']})"
    )
    finish(result, as_json)


@command.command("fingerprints")
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def fingerprints(data: Path, as_json: bool) -> None:
    """Error rates of the matcher over all pairs of a folder of FVC databases."""
    from devices.fingerprints.bench import bench_fingerprints

    with console.status("extracting") as status:
        result = bench_fingerprints(data, progress=lambda done, total, what: status.update(f"{what} {done}/{total}"))
    console.print(f"EER {result['eer']:.2%}, FNMR at FMR 0.1 % {result['fnmr_at_fmr_0_1']:.2%}")
    finish(result, as_json)


@command.command("identify")
@json_option
def identify(as_json: bool) -> None:
    """From a posted image to a named person among 500 enrolled people."""
    from ost.bench.identify import bench_identify

    with console.status("enrolling 500 people") as status:
        result = bench_identify(progress=status.update)
    console.print(f"p50 {result['p50_ms']} ms, p95 {result['p95_ms']} ms")
    finish(result, as_json)


@command.command("gallery")
@click.option(
    "--size", default=51_000, show_default=True, type=click.IntRange(200, 500_000), help="Templates: 6 a person."
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of FVC2002; without it the shared one, or synthetic drawings.",
)
@json_option
def gallery(size: int, data: Path | None, as_json: bool) -> None:
    """One search through the whole network's prints on one core, and loading them from the database."""
    from ost.bench.gallery import bench_gallery

    with console.status("reading pictures") as status:
        result = bench_gallery(size, data, progress=status.update)
    console.print(
        f"{result['size']:,} templates ({result['real']}): p50 {result['p50_ms']} ms, p95 {result['p95_ms']} ms "
        f"(target {result['target_p95_ms']}), rank 1 {result['rank_1']:.1%}, loaded in {result['load_s']} s"
    )
    finish(result, as_json)


@command.command("guest")
@click.option("--sites", default=168, show_default=True, type=click.IntRange(4, 300))
@click.option("--people", default=8_500, show_default=True, type=click.IntRange(20, 50_000))
@click.option("--requests", default=400, show_default=True, type=click.IntRange(4, 5_000))
@click.option("--closing", default=400, show_default=True, type=click.IntRange(1, 5_000), help="Patients of that site.")
@click.option("--clients", default=4, show_default=True, type=click.IntRange(1, 64))
@json_option
def guest(sites: int, people: int, requests: int, closing: int, clients: int, as_json: bool) -> None:
    """From asking for a place elsewhere to the confirmed pass, over HTTP; and a site that closes."""
    from ost.bench.guest import bench_guest

    with console.status("starting PostgreSQL") as status:
        result = bench_guest(sites, people, requests, closing, clients, tell=status.update)
    console.print(
        f"{result['confirmed']} of {result['requests']} confirmed at once: p50 {result['p50_ms']} ms, "
        f"p95 {result['p95_ms']} ms (target {result['target_p95_ms']}); other places p95 "
        f"{result['alternatives_p95_ms']} ms; {result['closure_moved']} people moved: preview "
        f"{result['closure_preview_s']} s, confirmed {result['closure_confirm_s']} s"
    )
    finish(result, as_json)
