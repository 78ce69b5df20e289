"""Ray up and down: what it is told, and that nothing is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from automl.runtime import cluster as module
from automl.runtime.cluster import cluster
from automl.runtime.errors import RunError
from automl.runtime.leftovers import FOLDER
from search_spaces.errors import InputError
from tests.worlds.processes import SLEEP, is_gone, sleeper


class FakeRay:
    """Ray as far as cluster() knows it."""

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.calls = fails, list[str]()
        self.options: dict[str, object] = {}

    def init(self, **options: object) -> None:
        self.calls.append("init")
        self.options = options
        if self.fails:
            raise ConnectionError("no cluster at this address")

    def shutdown(self) -> None:
        self.calls.append("shutdown")


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)  # type: ignore[arg-type]
    for name in (*module._QUIET, FOLDER):
        monkeypatch.delenv(name, raising=False)
    return fake


def test_children_of_the_block_carry_the_mark_and_are_gone_after_it(tmp_path: Path, ray: FakeRay) -> None:
    with cluster(tmp_path, 2.0):
        assert os.environ[FOLDER] == str(tmp_path.absolute())
        child = subprocess.Popen([sys.executable, "-c", SLEEP], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child.stdout as out:
            assert out.readline() == "up\n"
        assert psutil.Process(child.pid).environ()[FOLDER] == str(tmp_path.absolute())
    assert is_gone(child)
    assert ray.calls == ["init", "shutdown"]
    assert ray.options["num_cpus"] == 2
    assert FOLDER not in os.environ


def test_leftovers_of_a_killed_run_are_ended_first(tmp_path: Path, ray: FakeRay) -> None:
    with sleeper(str(tmp_path.absolute())) as left, cluster(tmp_path, 0.5):
        assert is_gone(left)
        assert ray.options["num_cpus"] == 1, "half a core is given whole"


def test_a_given_cluster_is_joined_and_not_sized(tmp_path: Path, ray: FakeRay) -> None:
    with cluster(tmp_path, 4.0, "head:6379"):
        assert ray.options["address"] == "head:6379"
        assert ray.options["num_cpus"] is ray.options["object_store_memory"] is None


def test_a_cluster_that_cannot_be_joined_is_told(tmp_path: Path, ray: FakeRay) -> None:
    with pytest.raises(InputError, match="must be HOST:PORT of a cluster"), cluster(tmp_path, 1.0, "ray://head:10001"):
        pytest.fail("the block must not run")
    assert ray.calls == []
    ray.fails = True
    joined = cluster(tmp_path, 1.0, "head:6379")
    with pytest.raises(RunError, match="no Ray cluster answers at head:6379: no cluster at"), joined:
        pytest.fail("the block must not run")
    assert ray.calls == ["init", "shutdown"]


def test_ray_is_shut_down_whatever_happens(tmp_path: Path, ray: FakeRay) -> None:
    with pytest.raises(ZeroDivisionError), cluster(tmp_path, 1.0):
        raise ZeroDivisionError
    ray.fails = True
    with pytest.raises(ConnectionError), cluster(tmp_path, 1.0):
        pytest.fail("the block must not run")
    assert ray.calls == ["init", "shutdown"] * 2
    assert FOLDER not in os.environ


def test_the_environment_of_the_caller_wins_and_comes_back(
    tmp_path: Path, ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = dict(os.environ)
    with cluster(tmp_path, 1.0):
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert os.environ["TUNE_DISABLE_SIGINT_HANDLER"] == "1"
    assert dict(os.environ) == before
