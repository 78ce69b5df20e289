"""The commands. Each reads its options, calls the Python API and prints; nothing heavy is imported before its time."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import NoReturn

import click

from automl import VERSION
from automl.config import parse_seconds
from search_spaces.errors import InputError

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_WORKERS = click.option("--workers", type=click.IntRange(1), help="Trials at once; all cores if left out.")
_ADDRESS = click.option("--address", help="A running Ray cluster; a local one is started if left out.")


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            seconds = parse_seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        assert isinstance(seconds, float)
        return seconds


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="automl")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def automl(debug: bool) -> None:
    """Search architectures and hyperparameters of ranking models, and prove what the search found."""


@automl.command()
@click.argument("directory", type=_FOLDER)
@click.option("--data", type=click.Path(path_type=Path), help="A log to draft the study from.")
@click.option("--label", help="The column to predict; guessed if left out. Only with --data.")
@click.option(
    "--template",
    type=click.Choice(["ctr", "cvr"]),
    default="ctr",
    show_default=True,
    help="Which commented study to start from; both run as they are, on a simulated log.",
)
def init(directory: Path, data: Path | None, label: str | None, template: str) -> None:
    """Write a commented study (study.yaml, space.yaml, baseline.yaml) to edit."""
    from automl.starting import init_study

    if label is not None and data is None:
        raise click.UsageError("--label must come with --data")
    for line in init_study(directory, data, template, label):
        click.echo(line)


@automl.command()
@click.argument("file", type=_FILE)
@click.option(
    "--pilot", is_flag=True, help="Train the baseline three times: its seed noise, and what gain can be told from it."
)
@_WORKERS
@click.option("--out", type=_FOLDER, help="The study's folder.")
def check(file: Path, pilot: bool, workers: int | None, out: Path | None) -> None:
    """Check a study or a space file, and tell what a search over it will take."""
    from automl.api import terminal
    from automl.checking import check_file

    for line in check_file(file, pilot=pilot, workers=workers or cores(), folder=out, console=terminal()):
        click.echo(line)


@automl.command()
@click.argument("study", type=_FILE)
@click.option("--trials", type=click.IntRange(1), default=100, show_default=True, help="Candidates to end in all.")
@_WORKERS
@click.option("--time-budget", type=_Duration(), help="Propose nothing new after this long, e.g. 30m or 1h.")
@_ADDRESS
@click.option("--out", type=_FOLDER, help="The study's folder; beside the file if left out.")
def search(
    study: Path, trials: int, workers: int | None, time_budget: float | None, address: str | None, out: Path | None
) -> None:
    """Start a search, or go on where it stopped."""
    from automl import api

    found = api.search(
        study,
        trials=trials,
        workers=workers or cores(),
        time_budget=time_budget,
        address=address,
        out=out,
        console=api.terminal(),
        command=_command(),
    )
    click.echo(found.summary())
    page = found.report()
    click.echo(f"report: {_short(page)}     next: automl finals {shlex.quote(_short(found.folder))}")


@automl.command()
@click.argument("directory", type=_FOLDER)
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
def report(directory: Path, show: bool) -> None:
    """Write report.html, pareto.csv and trials.parquet."""
    from automl import api

    page = api.open_study(directory).report()
    click.echo(_short(page))
    if show:
        click.launch(str(page))


@automl.command()
@click.argument("directory", type=_FOLDER)
def status(directory: Path) -> None:
    """One screen: progress, best so far, failures by reason."""
    from automl.status import read_screen

    click.echo(read_screen(directory))


@automl.command()
@click.argument("directory", type=_FOLDER)
@click.option("--top", type=click.IntRange(1), help="At most this many picks.")
@click.option(
    "--trial", "trials", type=click.IntRange(1), multiple=True, help="Test this trial; the picks if left out."
)
@click.option("--seeds", type=click.IntRange(2), help="Trainings of each model; the study file's number if left out.")
@_WORKERS
@_ADDRESS
def finals(
    directory: Path,
    top: int | None,
    trials: tuple[int, ...],
    seeds: int | None,
    workers: int | None,
    address: str | None,
) -> None:
    """Retrain picks and baseline with several seeds, and test on days that the search never saw."""
    from automl import api

    found = api.open_study(directory)
    result = found.finals(
        seeds=seeds, top=top, trials=trials, workers=workers or cores(), address=address, console=api.terminal()
    )
    for line in api.finals_lines(result):
        click.echo(line)
    click.echo(f"report: {_short(found.report())}")


@automl.command()
@click.argument("out", type=_FOLDER)
@click.option("--rows", type=click.IntRange(1000), default=200_000, show_default=True)
@click.option("--users", type=click.IntRange(10), default=4_000, show_default=True)
@click.option("--items", type=click.IntRange(10), default=1_500, show_default=True)
@click.option("--days", type=click.IntRange(3), default=8, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def simulate(out: Path, rows: int, users: int, items: int, days: int, seed: int) -> None:
    """Write a click log whose true probabilities, and so its Bayes NE, are known."""
    from automl.data.simulator import simulate as write

    log = write(out, rows=rows, users=users, items=items, days=days, seed=seed)
    for name, (first, last) in log.windows.items():
        known = ", ".join(f"{label} {by_window[name]:.4f}" for label, by_window in log.bayes_ne.items())
        click.echo(f"{name:<9} {first} to {last}   Bayes NE: {known}")
    click.echo(
        f"wrote {_short(out)}: log.parquet, users.parquet, items.parquet; truth.json holds what no model may see"
    )


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _command() -> str:
    return shlex.join(["automl", *sys.argv[1:]])


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def main() -> NoReturn:
    """Entry point: exit code 0 done, 1 the run failed, 2 the input is wrong, 130 interrupted."""
    debug = "--debug" in sys.argv[1:]
    try:
        automl.main(standalone_mode=False)
        code = DONE
    except click.exceptions.Abort:
        code = _interrupted()
    except KeyboardInterrupt:
        code = _interrupted()
    except click.ClickException as error:
        error.show()
        code = WRONG_INPUT
    except InputError as error:
        click.echo(str(error), err=True)
        code = WRONG_INPUT
    except Exception as error:
        if debug:
            raise
        click.echo(f"failed: {error if str(error) else type(error).__name__}", err=True)
        code = FAILED
    sys.stdout.flush()
    sys.exit(code)


def _interrupted() -> int:
    click.echo("\ninterrupted; the same command goes on", err=True)
    return INTERRUPTED
