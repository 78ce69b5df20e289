"""The command that simulates a log. Nothing heavy is imported before its time."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from automl.cli.common import FOLDER, rate_line, short


@click.command()
@click.argument("out", type=FOLDER)
@click.option("--rows", type=click.IntRange(1000), default=200_000, show_default=True)
@click.option("--users", type=click.IntRange(10), default=4_000, show_default=True)
@click.option("--items", type=click.IntRange(10), default=1_500, show_default=True)
@click.option("--days", type=click.IntRange(3), default=8, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--stream", is_flag=True, help="A log for streams: domains, drift, labels that come late.")
@click.option("--domains", type=click.IntRange(1, 100), default=3, show_default=True, help="Only with --stream.")
@click.option(
    "--drift",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="How much tastes and popularity move by day. Only with --stream.",
)
@click.option(
    "--delay-hours",
    type=click.FloatRange(0, 10_000),
    default=2.0,
    show_default=True,
    help="Mean time until labels are known. Only with --stream.",
)
@click.pass_context
def simulate(
    ctx: click.Context,
    out: Path,
    rows: int,
    users: int,
    items: int,
    days: int,
    seed: int,
    stream: bool,
    domains: int,
    drift: float,
    delay_hours: float,
) -> None:
    """Write a click log whose true probabilities, and so its Bayes NE, are known."""
    from automl.commands import simulate as simulating

    of_streams = {"domains": "--domains", "drift": "--drift", "delay_hours": "--delay-hours"}
    given = [option for name, option in of_streams.items() if ctx.get_parameter_source(name) != ParameterSource.DEFAULT]
    if given and not stream:
        raise click.UsageError(f"{', '.join(given)} must come with --stream")
    with rate_line() as passed:
        lines = (
            simulating.stream_lines(out, rows, users, items, days, seed, domains, drift, delay_hours, passed)
            if stream
            else simulating.log_lines(out, rows, users, items, days, seed, passed)
        )
    for line in lines:
        click.echo(line)
    click.echo(f"wrote {short(out)}: log.parquet, users.parquet, items.parquet; truth.json holds what no model may see")
