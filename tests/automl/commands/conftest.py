"""The small study whose finals are judged, written and encoded once; a test of another study has its own."""

from __future__ import annotations

import pytest

from automl.data.store.log import EncodedLog
from automl.study.problem import FINALS_FIT, Problem, encode, load_problem
from tests.worlds.judged import write_judged_study


@pytest.fixture(scope="package")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return load_problem(write_judged_study(tmp_path_factory.mktemp("finals")))


@pytest.fixture(scope="package")
def log(problem: Problem) -> EncodedLog:
    return encode(problem, FINALS_FIT)


@pytest.fixture(scope="package")
def daily(tmp_path_factory: pytest.TempPathFactory) -> tuple[Problem, EncodedLog]:
    """The same with three days of test."""
    problem = load_problem(write_judged_study(tmp_path_factory.mktemp("daily"), three_days=True))
    return problem, encode(problem, FINALS_FIT)
