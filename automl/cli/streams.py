"""Commands of ExFM runs. Nothing heavy is imported before its time."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from automl.cli.common import ADDRESS, FILE, FOLDER, WORKERS, short, terminal


@click.group()
def exfm() -> None:
    """One teacher, many students, a streaming log."""


@exfm.command("run")
@click.argument("file", type=FILE)
@WORKERS
@ADDRESS
@click.option("--out", type=FOLDER, help="The run's folder; beside the file if left out.")
def exfm_run(file: Path, workers: int, address: str | None, out: Path | None) -> None:
    """Stream a log past a teacher and its students, or go on where it stopped."""
    from automl.exfm import handle

    found = handle.exfm_run(file, workers=workers, out=out, address=address, console=terminal())
    click.echo(found.summary())
    page = found.report()
    words = shlex.join(["automl", "export", short(found.folder), "--student", next(iter(found.result.students))])
    click.echo(f"report: {short(page)}     next: {words} --to FILE")
