"""The commands. Each reads its options, calls the Python API and prints; nothing heavy is imported before its time."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.core import ParameterSource

from automl import VERSION
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from automl.api import StudyHandle
    from automl.exfm.handle import ExfmHandle
    from automl.runtime.rate_line import RateLine

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
PICKS = ("accurate", "fast", "balanced", "unlimited")


def cores() -> int:
    """Cores this process may use."""
    from automl.runtime import host

    return host.cores()


_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_WORKERS = click.option(
    "--workers", type=click.IntRange(1), default=cores, help="Trials at once; all cores if left out."
)
_ADDRESS = click.option("--address", help="A running Ray cluster; a local one is started if left out.")


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        from automl.data.describe.parts import parse_seconds

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


@automl.command()
@click.argument("file", type=_FILE)
@click.option(
    "--pilot", is_flag=True, help="Train the baseline three times: its seed noise, and what gain can be told from it."
)
@click.option("--json", "as_json", is_flag=True, help="Of a study: tell it as JSON, and nothing else on stdout.")
@_WORKERS
@click.option("--out", type=_FOLDER, help="The study's folder.")
def check(file: Path, pilot: bool, as_json: bool, workers: int, out: Path | None) -> None:
    """Check a study, a space or an ExFM file, and tell what can be known before it is run."""
    from automl.study.file import FileKind, kind_of
    from search_spaces.source import read

    if pilot and as_json:
        raise click.UsageError("--json must come without --pilot")
    document = read(file)
    kind = kind_of(document)
    if as_json and kind is not FileKind.STUDY:
        found = "an ExFM run" if kind is FileKind.EXFM else "a space"
        raise InputError.of(str(file), "must be a study to be told as JSON", found)
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
                document, workers=workers, folder=out, told=lambda words: click.echo(words, err=True), passed=passed
            )
        if as_json:
            import json

            lines = [json.dumps(checked.value().to_json(), indent=1)]
        else:
            lines = checked.lines() + (pilot_lines(checked, terminal()) if pilot else [])
    for line in lines:
        click.echo(line)


@automl.command()
@click.argument("study", type=_FILE)
@click.option("--trials", type=click.IntRange(1), default=100, show_default=True, help="Candidates to end in all.")
@_WORKERS
@click.option("--time-budget", type=_Duration(), help="Propose nothing new after this long, e.g. 30m or 1h.")
@_ADDRESS
@click.option("--out", type=_FOLDER, help="The study's folder; beside the file if left out.")
def search(
    study: Path, trials: int, workers: int, time_budget: float | None, address: str | None, out: Path | None
) -> None:
    """Start a search, or go on where it stopped."""
    from automl import api

    found = api.search(
        study,
        trials=trials,
        workers=workers,
        time_budget=time_budget,
        address=address,
        out=out,
        console=terminal(),
        command=_command(),
    )
    click.echo(found.summary())
    page = found.report()
    click.echo(f"report: {_short(page)}     next: automl finals {shlex.quote(_short(found.folder))}")


@automl.command()
@click.argument("directory", type=_FOLDER)
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
def report(directory: Path, show: bool) -> None:
    """Write report.html, pareto.csv and trials.parquet of a study, or exfm.html of an ExFM run."""
    page = _opened(directory).report()
    click.echo(_short(page))
    if show:
        click.launch(str(page))


@automl.command()
@click.argument("directory", type=_FOLDER)
def status(directory: Path) -> None:
    """One screen: progress, best so far, failures by reason."""
    from automl.commands.status import read_screen

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
    workers: int,
    address: str | None,
) -> None:
    """Retrain picks and baseline with several seeds, and test on days that the search never saw."""
    from automl import api

    found = api.open_study(directory)
    result = found.finals(seeds=seeds, top=top, trials=trials, workers=workers, address=address, console=terminal())
    from automl.report.study.lines import finals_lines

    for line in finals_lines(result):
        click.echo(line)
    click.echo(f"report: {_short(found.report())}")


@automl.command()
@click.argument("directory", type=_FOLDER)
@click.option("--trial", type=click.IntRange(1), help="The trial to export, trained to its end.")
@click.option("--pick", type=click.Choice(PICKS), help="The pick to export.")
@click.option("--student", help="The student of an ExFM run to export, as it would serve after the last window.")
@click.option("--recipe", help="The recipe it was taught by; its own if left out. Only with --student.")
@click.option("--seed", type=click.IntRange(0), help="Which of its trainings; 0 if left out. Only with --student.")
@click.option("--to", "file", type=_FILE, required=True, help="The file to write.")
def export(
    directory: Path,
    trial: int | None,
    pick: str | None,
    student: str | None,
    recipe: str | None,
    seed: int | None,
    file: Path,
) -> None:
    """Write a model with its encoders to one file that serves: one of a study, retrained as the finals do, or a student
    of an ExFM run, as it is."""
    if [trial, pick, student].count(None) != 2:
        raise click.UsageError("must have one of --trial, --pick and --student")
    if student is None and (recipe is not None or seed is not None):
        raise click.UsageError("--recipe and --seed must come with --student")
    if student is not None:
        from automl.exfm.handle import open_exfm

        told = open_exfm(directory).export(file, student=student, recipe=recipe, seed=seed or 0)
        name, rows = f"{student} ({told['about']['recipe']}, seed {told['about']['seed']})", "rows of its traffic"
    else:
        from automl import api

        told = api.open_study(directory).export(file, trial=trial, pick=pick, console=terminal())
        name, rows = f"#{told['about']['trial']}", "rows of the test window"
    gap = told["parity"]["max_probability_difference"]
    click.echo(f"{name}: {told['params']:,} parameters, {file.stat().st_size / 2**20:.1f} MiB")
    click.echo(f"parity: probabilities differ by at most {gap:.1g} on {told['parity']['rows']:,} {rows}")
    if (past := told["past"]) is not None:
        size = past["bytes"] / 2**20
        beside = _short(file.with_name(past["file"]))
        click.echo(f"past: {past['rows']:,} rows up to {past['until']}, {size:.2f} MiB in {beside}")
    click.echo(f"wrote {_short(file)}     next: automl predict {shlex.quote(_short(file))} TABLE")


@automl.group()
def exfm() -> None:
    """One teacher, many students, a streaming log."""


@exfm.command("run")
@click.argument("file", type=_FILE)
@_WORKERS
@_ADDRESS
@click.option("--out", type=_FOLDER, help="The run's folder; beside the file if left out.")
def exfm_run(file: Path, workers: int, address: str | None, out: Path | None) -> None:
    """Stream a log past a teacher and its students, or go on where it stopped."""
    from automl.exfm import handle

    found = handle.exfm_run(file, workers=workers, out=out, address=address, console=terminal())
    click.echo(found.summary())
    page = found.report()
    words = shlex.join(["automl", "export", _short(found.folder), "--student", next(iter(found.result.students))])
    click.echo(f"report: {_short(page)}     next: {words} --to FILE")


@automl.command()
@click.argument("file", type=_FILE)
@click.argument("table", type=str)
@click.option("--join", "joins", multiple=True, metavar="KEY=PATH", help="A side table, joined by its key.")
@click.option("--out", type=_FILE, help="A .parquet or .csv file to write; CSV to the screen if left out.")
@click.option("--past", type=_FILE, help="What earlier rows tell; FILE.past beside the model if left out.")
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
    click.echo(f"wrote {rows:,} rows to {_short(out)}")


@automl.command()
@click.argument("past", type=_FILE)
@click.argument("table", type=str)
@click.option("--join", "joins", multiple=True, metavar="KEY=PATH", help="A side table, joined by its key.")
@click.option("--labels", type=str, help="A table of rows that were counted, whose labels are known only now.")
@click.option("--to", "out", type=_FILE, help="The file to write; the past is replaced if left out.")
def advance(past: Path, table: str, joins: tuple[str, ...], labels: str | None, out: Path | None) -> None:
    """Count the rows of a table, with their labels, into the past of an exported model: each night those of the day."""
    from automl.commands.advance import advance_past

    out = out or past
    click.echo(advance_past(past, table, joins, out, labels))
    click.echo(f"wrote {_short(out)}")


@automl.command()
@click.argument("out", type=_FOLDER)
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
    click.echo(
        f"wrote {_short(out)}: log.parquet, users.parquet, items.parquet; truth.json holds what no model may see"
    )


def _opened(directory: Path) -> StudyHandle | ExfmHandle:
    from automl import api
    from automl.study.exfm_json import is_exfm

    if is_exfm(directory):
        from automl.exfm.handle import open_exfm

        return open_exfm(directory)
    return api.open_study(directory)


def terminal() -> Console:
    """Where progress goes: the error stream, so that a command's own output stays clean."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def rate_line() -> RateLine:
    """Shows how far a long pass is, there."""
    from automl.runtime.rate_line import RateLine

    return RateLine(terminal)


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
