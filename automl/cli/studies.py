"""Commands of a study: from a draft to tested picks. Nothing heavy is imported before its time."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.common import ADDRESS, FILE, FOLDER, WORKERS, Duration, Scale, command_line, rate_line, short, terminal
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from automl.api import StudyHandle
    from automl.exfm.handle import ExfmHandle


@click.command()
@click.argument("directory", type=FOLDER)
@click.option("--data", type=click.Path(path_type=Path), help="A log to draft the study from.")
@click.option("--label", help="The column to predict; guessed if left out. Only with --data.")
@click.option(
    "--template",
    type=click.Choice(["ctr", "cvr", "exfm"]),
    default="ctr",
    show_default=True,
    help="Which commented study (or ExFM run) to start from; all run as they are, on a simulated log.",
)
def init(directory: Path, data: Path | None, label: str | None, template: str) -> None:
    """Write a commented study (study.yaml, space.yaml, baseline.yaml) or ExFM run (exfm.yaml and models) to edit."""
    from automl.commands.init import init_exfm, init_study

    if label is not None and data is None:
        raise click.UsageError("--label must come with --data")
    if data is not None and template == "exfm":
        raise click.UsageError("--data must come without --template exfm: a stream is not drafted")
    with rate_line() as passed:
        lines = init_exfm(directory) if template == "exfm" else init_study(directory, data, template, label, passed)
    for line in lines:
        click.echo(line)


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--pilot", is_flag=True, help="Train the baseline three times: its seed noise, and what gain can be told from it."
)
@click.option("--json", "as_json", is_flag=True, help="Of a study: tell it as JSON, and nothing else on stdout.")
@WORKERS
@click.option("--scale", type=Scale(), help="Of a study: the search at so many times the baseline's FLOPs, e.g. 8x.")
@click.option("--out", type=FOLDER, help="The study's folder.")
def check(file: Path, pilot: bool, as_json: bool, workers: int, scale: float | None, out: Path | None) -> None:
    """Check a study, a space or an ExFM file, and tell what can be known before it is run."""
    from automl.study.file import FileKind, kind_of
    from search_spaces.source import read

    if pilot and as_json:
        raise click.UsageError("--json must come without --pilot")
    document = read(file)
    kind = kind_of(document)
    for is_asked, what in ((as_json, "told as JSON"), (scale is not None, "checked at a scale")):
        if is_asked and kind is not FileKind.STUDY:
            found = "an ExFM run" if kind is FileKind.EXFM else "a space"
            raise InputError.of(str(file), f"must be a study to be {what}", found)
    if kind is FileKind.EXFM:
        from automl.exfm.check import exfm_lines

        if pilot:
            raise InputError.of(str(file), "must be a study to have a pilot", "an ExFM run")
        with rate_line() as passed:
            lines = exfm_lines(document, out, passed)
    elif kind is FileKind.SPACE:
        from automl.commands.check import space_lines

        lines = space_lines(document)
    else:
        from automl.commands.check import check_study, pilot_lines

        with rate_line() as passed:
            checked = check_study(
                document,
                workers=workers,
                folder=out,
                scale=scale,
                told=lambda words: click.echo(words, err=True),
                passed=passed,
            )
        if as_json:
            import json

            lines = [json.dumps(checked.value().to_json(), indent=1)]
        else:
            lines = checked.lines() + (pilot_lines(checked, terminal()) if pilot else [])
    for line in lines:
        click.echo(line)


@click.command()
@click.argument("study", type=FILE)
@click.option("--trials", type=click.IntRange(1), default=100, show_default=True, help="Candidates to end in all.")
@WORKERS
@click.option("--time-budget", type=Duration(), help="Propose nothing new after this long, e.g. 30m or 1h.")
@click.option("--scale", type=Scale(), help="Search at so many times the baseline's FLOPs, e.g. 8x.")
@ADDRESS
@click.option("--out", type=FOLDER, help="The study's folder; beside the file if left out.")
def search(
    study: Path,
    trials: int,
    workers: int,
    time_budget: float | None,
    scale: float | None,
    address: str | None,
    out: Path | None,
) -> None:
    """Start a search, or go on where it stopped."""
    from automl import api

    found = api.search(
        study,
        trials=trials,
        workers=workers,
        time_budget=time_budget,
        scale=scale,
        address=address,
        out=out,
        console=terminal(),
        command=command_line(),
    )
    click.echo(found.summary())
    page = found.report()
    history, follows = found.history, ""
    if found.facts.out_of_time:
        follows = "     next: the same command"
    elif any(map(history.eligible, history.trials)):
        follows = f"     next: automl finals {shlex.quote(short(found.folder))}"
    click.echo(f"report: {short(page)}{follows}")


@click.command()
@click.argument("directory", type=FOLDER)
@click.option("--out", type=FOLDER, help="Where to write; the study's or run's own folder if left out.")
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
def report(directory: Path, out: Path | None, show: bool) -> None:
    """Write report.html, pareto.csv and trials.parquet of a study, or exfm.html of an ExFM run."""
    page = _opened(directory).report(out)
    click.echo(short(page))
    if show:
        click.launch(str(page))


@click.command()
@click.argument("directory", type=FOLDER)
def status(directory: Path) -> None:
    """One screen: progress, best so far, failures by reason."""
    from automl.commands.status import read_screen

    click.echo(read_screen(directory))


@click.command()
@click.argument("directory", type=FOLDER)
def replay(directory: Path) -> None:
    """Ask for every batch of proposals anew, from what was known when it was asked for, and compare."""
    from automl import api

    found = api.open_study(directory, console=terminal()).replay(console=terminal())
    for line in found.lines():
        click.echo(line)
    if found.first is not None:
        from automl.runtime.errors import RunError

        raise RunError("the record was not reproduced")


@click.command()
@click.argument("directory", type=FOLDER)
@click.option("--top", type=click.IntRange(1), help="At most this many picks.")
@click.option(
    "--trial", "trials", type=click.IntRange(1), multiple=True, help="Test this trial; the picks if left out."
)
@click.option("--seeds", type=click.IntRange(2), help="Trainings of each model; the study file's number if left out.")
@WORKERS
@ADDRESS
def finals(
    directory: Path,
    top: int | None,
    trials: tuple[int, ...],
    seeds: int | None,
    workers: int,
    address: str | None,
) -> None:
    """Retrain picks and baseline with several seeds, and test on days that the search never saw."""
    from automl import api

    found = api.open_study(directory, console=terminal())
    result = found.finals(seeds=seeds, top=top, trials=trials, workers=workers, address=address, console=terminal())
    from automl.report.study.lines import finals_lines

    for line in finals_lines(result, found.facts):
        click.echo(line)
    click.echo(f"report: {short(found.report())}")


def _opened(directory: Path) -> StudyHandle | ExfmHandle:
    from automl import api
    from automl.study.exfm_json import is_exfm

    if is_exfm(directory):
        from automl.exfm.handle import open_exfm

        return open_exfm(directory)
    return api.open_study(directory, console=terminal())
