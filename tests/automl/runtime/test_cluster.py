"""Leftovers of a killed run are found by the mark that all its processes inherit, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from automl.runtime import cluster as module
from automl.runtime.cluster import cluster, reap

MARK = "AUTOML_RUN_FOLDER"
SLEEP = "import time; print('up', flush=True); time.sleep(600)"


@contextmanager
def sleeper(mark: str | None) -> Iterator[subprocess.Popen[str]]:
    """A process that would stay for ten minutes; up when the block begins."""
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    if mark is not None:
        environment[MARK] = mark
    process = subprocess.Popen([sys.executable, "-c", SLEEP], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def is_gone(process: subprocess.Popen[str]) -> bool:
    """Ended, and no zombie."""
    process.wait(timeout=30)
    return not psutil.pid_exists(process.pid)


def test_only_processes_of_this_folder_are_ended(tmp_path: Path) -> None:
    with ExitStack() as stack:
        ours = [stack.enter_context(sleeper(str(tmp_path))) for _ in range(2)]
        others = [stack.enter_context(sleeper(mark)) for mark in (None, str(tmp_path / "other"), str(tmp_path)[:-1])]
        assert reap(str(tmp_path)) == 2
        assert all(is_gone(process) for process in ours)
        assert all(process.poll() is None for process in others)
        assert reap(str(tmp_path)) == 0


def test_the_caller_itself_is_spared(tmp_path: Path) -> None:
    code = f"import os; os.environ[{MARK!r}] = 'here'; from automl.runtime.cluster import reap; print(reap('here'))"
    environment = {**os.environ, MARK: "here"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


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
    for name in (*module._QUIET, MARK):
        monkeypatch.delenv(name, raising=False)
    return fake


def test_children_of_the_block_carry_the_mark_and_are_gone_after_it(tmp_path: Path, ray: FakeRay) -> None:
    with cluster(tmp_path, 2.0):
        assert os.environ[MARK] == str(tmp_path.absolute())
        child = subprocess.Popen([sys.executable, "-c", SLEEP], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child.stdout as out:
            assert out.readline() == "up\n"
        assert psutil.Process(child.pid).environ()[MARK] == str(tmp_path.absolute())
    assert is_gone(child)
    assert ray.calls == ["init", "shutdown"]
    assert ray.options["num_cpus"] == 2
    assert MARK not in os.environ


def test_leftovers_of_a_killed_run_are_ended_first(tmp_path: Path, ray: FakeRay) -> None:
    with sleeper(str(tmp_path.absolute())) as left, cluster(tmp_path, 0.5):
        assert is_gone(left)
        assert ray.options["num_cpus"] == 1, "half a core is given whole"


def test_a_given_cluster_is_joined_and_not_sized(tmp_path: Path, ray: FakeRay) -> None:
    with cluster(tmp_path, 4.0, "ray://head:10001"):
        assert ray.options["address"] == "ray://head:10001"
        assert "num_cpus" not in ray.options


def test_ray_is_shut_down_whatever_happens(tmp_path: Path, ray: FakeRay) -> None:
    with pytest.raises(ZeroDivisionError), cluster(tmp_path, 1.0):
        raise ZeroDivisionError
    ray.fails = True
    with pytest.raises(ConnectionError), cluster(tmp_path, 1.0):
        pytest.fail("the block must not run")
    assert ray.calls == ["init", "shutdown"] * 2
    assert MARK not in os.environ


def test_the_environment_of_the_caller_wins_and_comes_back(
    tmp_path: Path, ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = dict(os.environ)
    with cluster(tmp_path, 1.0):
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert os.environ["TUNE_DISABLE_SIGINT_HANDLER"] == "1"
    assert dict(os.environ) == before
