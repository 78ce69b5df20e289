"""The commands. Each reads its options, calls the Python API and prints; nothing heavy is imported before its time."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from automl import VERSION
from automl.cli import models, streams, studies, worlds
from search_spaces.errors import InputError

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
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
