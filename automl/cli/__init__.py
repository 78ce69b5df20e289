"""The commands. Each reads its options, calls the Python API and prints; nothing heavy is imported before its time."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn

import click

from automl import VERSION
from automl.cli import models, streams, studies, worlds
from automl.cli.signals import CODES, leave, obeyed
from automl.runtime.interrupt import Stop
from search_spaces.errors import InputError

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
_A_MOMENT_S = 1.0
COMMANDS = (
    studies.init,
    studies.check,
    studies.search,
    studies.status,
    studies.report,
    studies.finals,
    studies.replay,
    models.export,
    models.predict,
    models.advance,
    streams.exfm,
    worlds.simulate,
)


@click.group(commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="automl")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def automl(debug: bool) -> None:
    """Search architectures and hyperparameters of ranking models, and prove what the search found."""


def main() -> NoReturn:
    """Entry point: exit code 0 done, 1 the run failed, 2 the input is wrong; 130 interrupted by Ctrl-C, 143 by SIGTERM,
    129 by a closed terminal."""
    stop = Stop()
    with obeyed(stop) as said:
        try:
            code = _code(stop, said)
        except KeyboardInterrupt:  # in the middle of telling
            code = FAILED
        with suppress(OSError):
            sys.stdout.flush()
        if stop.signum is not None:
            leave(CODES[signal.Signals(stop.signum)])
    sys.exit(code)


def _code(stop: Stop, said: threading.Event) -> int:
    debug = "--debug" in sys.argv[1:]
    try:
        automl.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _interrupted(said)
    except click.ClickException as error:
        error.show()
        return WRONG_INPUT
    except InputError as error:
        click.echo(str(error), err=True)
        return WRONG_INPUT
    except (Exception, SystemExit) as error:
        if stop.asked:  # whatever it was in the middle of
            return _interrupted(said)
        if debug or isinstance(error, SystemExit):
            raise
        click.echo(f"failed: {error if str(error) else type(error).__name__}", err=True)
        return FAILED
    return DONE


def _interrupted(said: threading.Event) -> int:
    said.wait(_A_MOMENT_S)
    with suppress(OSError):  # a closed terminal
        click.echo("\ninterrupted; the same command goes on", err=True)
    return INTERRUPTED
