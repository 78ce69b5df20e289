"""What all tests share: one thread for each process, a record that waits for no disk, and the longest files first where
several processes run them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

# As a trial has it. Threads of small operators wait for each other most of the time (three times the CPU seconds on two
# cores), and how a sum is cut among them moves its last bits. Set before anything loads torch or BLAS.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_TESTS = Path(__file__).parent
_LONGEST = (
    "e2e",
    "experiments",
    "docs/test_blocks_page.py",
    "automl/commands",
    "automl/strategies/test_propose.py",
    "automl/test_cli.py",
    "automl/ranking",
    "automl/study/test_record.py",
    "docs/test_api_page.py",
    "search_spaces",
    "automl/stats",
    "automl/exfm",
    "automl/strategies",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes are given files in this order: what takes long begins early."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _rank(item.path))


def _rank(path: Path) -> int:
    name = path.relative_to(_TESTS).as_posix()
    return next((rank for rank, start in enumerate(_LONGEST) if name.startswith(start)), len(_LONGEST))


@pytest.fixture(autouse=True, scope="session")
def unsynced() -> Iterator[None]:
    """No record of this process waits until the disk itself has what is committed: that is for when power fails, and
    was half of the time of tests that write records. Commands in processes of their own wait, as they do for users.
    """
    from automl.study.sqlite import Patient

    connect = Patient.__init__

    def connect_unsynced(self: Patient, way: object) -> None:
        connect(self, way)  # type: ignore[arg-type]
        with suppress(sqlite3.Error):  # of a file that is held or is no record the test itself asks more
            sqlite3.Cursor(self).execute("PRAGMA synchronous = OFF")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Patient, "__init__", connect_unsynced)
        yield
