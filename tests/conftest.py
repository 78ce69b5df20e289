"""What all tests share: one thread for each process, and the longest files first where several processes run them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# As a trial has it. Threads of small operators wait for each other most of the time (three times the CPU seconds on two
# cores), and how a sum is cut among them moves its last bits. Set before anything loads torch or BLAS.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_TESTS = Path(__file__).parent
_LONGEST = (
    "e2e",
    "experiments",
    "docs/test_api_page.py",
    "automl/exfm",
    "automl/ranking",
    "search_spaces",
    "automl/strategies",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes are given files in this order: what takes long begins early."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _rank(item.path))


def _rank(path: Path) -> int:
    name = path.relative_to(_TESTS).as_posix()
    return next((rank for rank, start in enumerate(_LONGEST) if name.startswith(start)), len(_LONGEST))
