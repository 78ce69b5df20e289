"""Commands of a model that serves: written to a file, asked, and its past counted on. Nothing heavy is imported before
its time."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.cli.common import FILE, FOLDER, rate_line, short, terminal

if TYPE_CHECKING:
    from automl.ranking.narrow import Numbers

PICKS = ("accurate", "fast", "balanced", "unlimited")
_JOINS = click.option("--join", "joins", multiple=True, metavar="KEY=PATH", help="A side table, joined by its key.")


@click.command()
@click.argument("directory", type=FOLDER)
@click.option("--trial", type=click.IntRange(1), help="The trial to export, trained to its end.")
@click.option("--pick", type=click.Choice(PICKS), help="The pick to export.")
@click.option("--student", help="The student of an ExFM run to export, as it would serve after the last window.")
@click.option("--recipe", help="The recipe it was taught by; its own if left out. Only with --student.")
@click.option("--seed", type=click.IntRange(0), help="Which of its trainings; 0 if left out. Only with --student.")
@click.option("--numbers", type=click.Choice(("fp32", "bf16", "int8")), help="What wide products are served in.")
@click.option("--to", "file", type=FILE, required=True, help="The file to write.")
def export(
    directory: Path,
    trial: int | None,
    pick: str | None,
    student: str | None,
    recipe: str | None,
    seed: int | None,
    numbers: Numbers | None,
    file: Path,
) -> None:
    """Write a model with its encoders to one file that serves: one of a study, retrained as the finals do, or a student
    of an ExFM run, as it is."""
    if [trial, pick, student].count(None) != 2:
        raise click.UsageError("must have one of --trial, --pick and --student")
    if student is None and (recipe is not None or seed is not None):
        raise click.UsageError("--recipe and --seed must come with --student")
    if student is not None and numbers is not None:
        raise click.UsageError("--numbers must come with --trial or --pick")
    if student is not None:
        from automl.exfm.handle import open_exfm

        told = open_exfm(directory).export(file, student=student, recipe=recipe, seed=seed or 0)
        name, rows = f"{student} ({told['about']['recipe']}, seed {told['about']['seed']})", "rows of its traffic"
    else:
        from automl import api

        study, console = api.open_study(directory, console=terminal()), terminal()
        told = study.export(file, trial=trial, pick=pick, numbers=numbers or "fp32", console=console)
        name, rows = _known(told["about"], directory), "rows of the test window"
    gap = told["parity"]["max_probability_difference"]
    click.echo(f"{name}: {told['params']:,} parameters, {file.stat().st_size / 2**20:.1f} MiB")
    click.echo(f"parity: probabilities differ by at most {gap:.1g} on {told['parity']['rows']:,} {rows}")
    if numbers not in (None, "fp32"):
        from automl.ranking.narrowing import words

        click.echo(f"{numbers}: {words(told['numbers']) if told.get('numbers') else 'no wide product; fp32 is served'}")
    if (past := told["past"]) is not None:
        size = past["bytes"] / 2**20
        beside = short(file.with_name(past["file"]))
        click.echo(f"past: {past['rows']:,} rows up to {past['until']}, {size:.2f} MiB in {beside}")
    click.echo(f"wrote {short(file)}     next: automl predict {shlex.quote(short(file))} TABLE")


def _known(about: Mapping[str, Any], directory: Path) -> str:
    """Which trial it is, and what is known of it: #2 (accurate; better by the finals)."""
    number, found, role = about["trial"], about["finals"], about["pick"]
    which = "" if role else f" --trial {number}"
    untested = f"not tested: run automl finals {shlex.quote(short(directory))}{which}"
    words = untested if found is None else f"{found['verdict']} by the finals"
    return f"#{number} ({role}; {words})" if role else f"#{number} ({words})"


@click.command()
@click.argument("file", type=FILE)
@click.argument("table", type=str)
@_JOINS
@click.option("--out", type=FILE, help="A .parquet or .csv file to write; CSV to the screen if left out.")
@click.option("--past", type=FILE, help="What earlier rows tell; FILE.past beside the model if left out.")
def predict(file: Path, table: str, joins: tuple[str, ...], out: Path | None, past: Path | None) -> None:
    """Probabilities of an exported model for the rows of a table, in their order."""
    from automl.commands.predict import predict_lines, predict_to

    def tell(lines: Sequence[str]) -> None:
        for line in lines:
            click.echo(line, err=True)

    if out is None:
        for line in predict_lines(file, table, joins, tell, past):
            click.echo(line)
        return
    with rate_line() as passed:
        rows = predict_to(file, table, joins, out, tell, past, passed)
    click.echo(f"wrote {rows:,} rows to {short(out)}")


@click.command()
@click.argument("past", type=FILE)
@click.argument("table", type=str)
@_JOINS
@click.option("--labels", type=str, help="A table of rows that were counted, whose labels are known only now.")
@click.option("--to", "out", type=FILE, help="The file to write; the past is replaced if left out.")
def advance(past: Path, table: str, joins: tuple[str, ...], labels: str | None, out: Path | None) -> None:
    """Count the rows of a table, with their labels, into the past of an exported model: each night those of the day."""
    from automl.commands.advance import advance_past

    out = out or past
    click.echo(advance_past(past, table, joins, out, labels))
    click.echo(f"wrote {short(out)}")
