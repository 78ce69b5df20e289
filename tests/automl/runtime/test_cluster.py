"""Ray up and down: what it is told, and that nothing is left of it."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from automl.runtime import cluster as module
from automl.runtime.cluster import check_gpu, check_machine, cluster, errors_apart
from automl.runtime.errors import RunError
from automl.runtime.host import cores
from automl.runtime.leftovers import FOLDER
from search_spaces.errors import InputError, Position
from tests.worlds.processes import SLEEP, is_gone, sleeper


class FakeRay:
    """Ray as far as cluster() knows it."""

    def __init__(self) -> None:
        self.fails, self.calls = 0, list[str]()  # fails: starts that are still to fail
        self.up = False
        self.options: dict[str, object] = {}

    def is_initialized(self) -> bool:
        return self.up

    def init(self, **options: object) -> None:
        self.calls.append("init")
        self.options = options
        signal.signal(signal.SIGTERM, _rays_own)
        if self.fails:
            self.fails -= 1
            raise ConnectionError("address already in use")

    def shutdown(self) -> None:
        self.calls.append("shutdown")


def _rays_own(signum: int, frame: object) -> None:
    """What Ray puts in the place of the handler that was there."""


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRay]:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)  # type: ignore[arg-type]
    for name in (*module._QUIET, FOLDER):
        monkeypatch.delenv(name, raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield fake
    signal.signal(signal.SIGTERM, before)


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


def test_what_ray_tells_of_dead_workers_is_not_among_a_command_s_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    worker: Any = importlib.import_module("ray._private.worker")
    monkeypatch.setattr(worker, "_worker_logs_enabled", True)
    told = {"lines": ["A worker died"], "pid": "raylet", "is_err": False}
    before = worker.print_to_stdstream
    with errors_apart():
        worker.print_to_stdstream(told, ignore_prefix=False)
    assert worker.print_to_stdstream is before
    out, err = capsys.readouterr()
    assert out == ""
    assert "A worker died" in err


def test_leftovers_of_a_killed_run_are_ended_first(tmp_path: Path, ray: FakeRay) -> None:
    with sleeper(str(tmp_path.absolute())) as left, cluster(tmp_path, 0.5):
        assert is_gone(left)
        assert ray.options["num_cpus"] == 1, "half a core is given whole"


def test_a_given_cluster_is_joined_and_not_sized(tmp_path: Path, ray: FakeRay) -> None:
    with cluster(tmp_path, 4.0, "head:6379"):
        assert ray.options["address"] == "head:6379"
        assert not {"num_cpus", "object_store_memory", "_temp_dir"} & set(ray.options)


def test_a_cluster_that_cannot_be_joined_is_told(tmp_path: Path, ray: FakeRay) -> None:
    with pytest.raises(InputError, match="must be HOST:PORT of a cluster"), cluster(tmp_path, 1.0, "ray://head:10001"):
        pytest.fail("the block must not run")
    assert ray.calls == []
    ray.fails = 1
    joined = cluster(tmp_path, 1.0, "head:6379")
    with pytest.raises(RunError, match="no Ray cluster answers at head:6379: address already in use"), joined:
        pytest.fail("the block must not run")
    assert ray.calls == ["init", "shutdown"]


def test_ray_is_shut_down_whatever_happens(tmp_path: Path, ray: FakeRay) -> None:
    with pytest.raises(ZeroDivisionError), cluster(tmp_path, 1.0):
        raise ZeroDivisionError
    assert ray.calls == ["init", "shutdown"]
    assert FOLDER not in os.environ


def test_a_start_that_fails_is_tried_anew(tmp_path: Path, ray: FakeRay) -> None:
    ray.fails = 2
    with cluster(tmp_path, 1.0):
        assert ray.calls[-1] == "init"
    assert ray.calls.count("init") == 3
    ray.fails = 9
    with pytest.raises(RunError, match="Ray did not start, 3 times: ConnectionError: address already in use"):
        cluster(tmp_path, 1.0).__enter__()


def test_ours_is_local_whatever_else_there_is(tmp_path: Path, ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster in the environment, and folders for temporary files that Ray's sockets do not fit in or that cannot be
    written."""
    monkeypatch.setenv("RAY_ADDRESS", "198.51.100.7:6379")
    long = tmp_path / ("long" * 30)
    long.mkdir()
    for place in (str(long), "/proc/none"):
        monkeypatch.setenv("TMPDIR", place)
        with cluster(tmp_path, 1.4):
            assert ray.options["address"] == "local"
            assert ray.options["num_cpus"] == 2, "a part of a core is given whole"
            home = Path(str(ray.options["_temp_dir"]))
            assert home.is_dir()
            assert len(str(home)) <= 43
        assert not home.exists()


def test_the_callers_own_ray_is_used_and_left_up(tmp_path: Path, ray: FakeRay) -> None:
    ray.up = True
    with cluster(tmp_path, 1.0):
        pass
    with pytest.raises(RunError, match="connected to a Ray already"), cluster(tmp_path, 1.0, "head:6379"):
        pytest.fail("the block must not run")
    assert ray.calls == []


@pytest.mark.parametrize("callers", [True, False])
def test_sigterm_is_heard_by_who_heard_it_before(tmp_path: Path, ray: FakeRay, callers: bool) -> None:
    mine = (lambda signum, frame: None) if callers else signal.SIG_DFL
    signal.signal(signal.SIGTERM, mine)
    with cluster(tmp_path, 1.0):
        assert signal.getsignal(signal.SIGTERM) is (mine if callers else _rays_own)


def test_a_trial_that_no_machine_of_this_size_can_run(ray: FakeRay) -> None:
    at = Position("study.yaml", 7, 18)
    check_machine(at, cores(), None)
    check_machine(at, cores() + 1, "head:6379")
    with pytest.raises(InputError) as told:
        check_machine(at, cores() + 0.5, None)
    assert str(told.value).startswith(
        f"study.yaml:7:18: must be at most {cores()}, the cores of this machine, but found"
    )
    ray.up = True
    check_machine(at, cores() + 1, None)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_this_machine_has_not(ray: FakeRay) -> None:
    at = Position("study.yaml", 7, 18)
    check_gpu(at, 0.0, None)
    check_gpu(at, 1.0, "head:6379")
    with pytest.raises(InputError) as told:
        check_gpu(at, 0.5, None)
    assert str(told.value).startswith("study.yaml:7:18: must be 0 on a machine where torch sees no GPU, but found 0.5")


def test_the_environment_of_the_caller_wins_and_comes_back(
    tmp_path: Path, ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = dict(os.environ)
    with cluster(tmp_path, 1.0):
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert os.environ["TUNE_DISABLE_SIGINT_HANDLER"] == "1"
    assert dict(os.environ) == before
