"""A study that one can only read: its status is told, its report is written elsewhere, and nobody goes on with it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from automl import api
from automl.commands.status import read_screen
from automl.files.failures import WriteError
from automl.runtime.lock import locked
from tests.worlds.recorded import write_searched

NOBODY = 65534


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A searched study in a folder that everybody reaches, and nobody may change."""
    home = Path(tempfile.mkdtemp(prefix="automl-shared-"))
    home.chmod(0o755)
    write_searched(home / "study")
    api.open_study(home / "study").report(home / "first")  # what is loaded late is loaded
    read_screen(home / "study")
    for path in sorted((home / "study").rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (home / "study").chmod(0o555)
    (home / "mine").mkdir()
    (home / "mine").chmod(0o777)
    yield home / "study"
    for path in [home / "study", *(home / "study").rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(home)


@contextmanager
def colleague() -> Iterator[None]:
    """Somebody who has no rights but those that everybody has: root could write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_its_status_is_told(shared: Path) -> None:
    wanted = read_screen(shared)
    with colleague():
        assert read_screen(shared) == wanted


def test_its_report_is_written_elsewhere(shared: Path) -> None:
    with colleague():
        study = api.open_study(shared)
        with pytest.raises(WriteError, match=r"cannot write .*study/report\.html: Permission denied; get the right to"):
            study.report()
        page = study.report(shared.parent / "mine" / "report")
    assert page.read_text() == (shared.parent / "first" / "report.html").read_text()


def test_nobody_goes_on_with_it(shared: Path) -> None:
    with colleague():
        for ask in (lambda: locked(shared), lambda: api.open_study(shared).finals()):
            with pytest.raises(
                WriteError, match=r"cannot write .*/\.lock: Permission denied; get the right to write th"
            ):
                ask()
