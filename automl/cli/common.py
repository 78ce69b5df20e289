"""What the commands share: kinds of arguments, where progress goes, how paths are told."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from automl.runtime.rate_line import RateLine


def cores() -> int:
    """Cores this process may use."""
    from automl.runtime import host

    return host.cores()


FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
WORKERS = click.option(
    "--workers", type=click.IntRange(1), default=cores, help="Trials at once; all cores if left out."
)
ADDRESS = click.option("--address", help="A running Ray cluster; a local one is started if left out.")


class Duration(click.ParamType[float]):
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


class Scale(click.ParamType[float]):
    name = "scale"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        from automl.study.scaled import parse_scale

        try:
            return parse_scale(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def terminal() -> Console:
    """Where progress goes: the error stream, so that a command's own output stays clean."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def rate_line() -> RateLine:
    """Shows how far a long pass is, there."""
    from automl.runtime.rate_line import RateLine

    return RateLine(terminal)


def command_line() -> str:
    return shlex.join(["automl", *sys.argv[1:]])


def short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
