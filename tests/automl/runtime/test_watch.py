"""What the driver looks at while Tune runs, with trials, a clock and a cluster that are made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from automl.runtime import watch as module
from automl.runtime.errors import RunError
from automl.runtime.jobs import Resources
from automl.runtime.watch import PATIENCE_S, Watch, check_room

MANY = 1000.0


class Books:
    """A desk whose jobs are frozen when they have been on their way for ten seconds."""

    def __init__(self) -> None:
        self.stopping = False
        self.seconds: dict[str, float] = {}

    def to_end(self, trial_id: str, seconds: float) -> bool:
        self.seconds[trial_id] = self.seconds.get(trial_id, 0.0) + seconds
        return self.seconds[trial_id] > 10.0


class World:
    """Turns of Tune's loop, and what came of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.books, self.told, self.killed = Books(), list[str](), list[str]()
        self.now, self.words = 0.0, ""
        self.watch = Watch(self.books, Resources(workers=2), self.told.append, lambda: self.now, lambda _: self.words)
        monkeypatch.setattr(module.ray, "kill", self.killed.append)

    def turns(self, seconds: float, *trials: Any, each: float = 0.1) -> None:
        for _ in range(round(seconds / each)):
            self.now += each
            self.watch.on_step_begin(0, trials)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def trial(name: str, status: str) -> Any:
    actor = f"actor of {name}" if status == "RUNNING" else None
    return SimpleNamespace(trial_id=name, status=status, temporary_state=SimpleNamespace(ray_actor=actor))


def test_when_it_is_to_stop_what_runs_is_killed(world: World) -> None:
    trials = trial("a", "RUNNING"), trial("b", "PENDING"), trial("c", "RUNNING")
    world.turns(1.0, *trials)
    world.books.stopping = True
    with pytest.raises(KeyboardInterrupt):
        world.turns(0.1, *trials)
    assert world.killed == ["actor of a", "actor of c"]


def test_a_worker_that_is_frozen_is_killed(world: World) -> None:
    world.turns(9.0, trial("a", "RUNNING"), trial("b", "PENDING"))
    assert world.killed == []
    world.turns(2.0, trial("a", "RUNNING"))
    assert world.killed[0] == "actor of a"
    assert set(world.books.seconds) == {"a"}


def test_time_in_which_the_driver_was_frozen_itself_does_not_count(world: World) -> None:
    world.turns(5 * MANY, trial("a", "RUNNING"), each=MANY)
    assert world.books.seconds["a"] <= 5.0


def test_waiting_is_told_after_a_while_and_when_it_is_over(world: World) -> None:
    world.words = "waiting for 2 cores: the cluster has 1 free"
    world.turns(PATIENCE_S - 1.0, trial("a", "PENDING"))
    assert world.told == [], "a process is being started"
    world.turns(10.0, trial("a", "PENDING"))
    assert world.told == [world.words], "once"
    world.turns(1.0, trial("a", "RUNNING"), trial("b", "PENDING"))
    assert world.told == [world.words, ""]
    world.turns(10.0, trial("a", "RUNNING"), trial("b", "PENDING"))
    assert len(world.told) == 2, "one job more than workers waits always"


def test_a_job_that_no_node_could_ever_run(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 2.0}},
        {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}},
        {"Alive": False, "Resources": {"CPU": 64.0}},
    ]
    monkeypatch.setattr(module.ray, "nodes", lambda: nodes)
    check_room(Resources(workers=100, cpu=4.0, gpu=1.0))
    with pytest.raises(RunError, match=r"asks for 5\.5 cores .* the largest node of the cluster has 4:"):
        check_room(Resources(workers=1, cpu=5.5))
    with pytest.raises(RunError, match="asks for 2 GPUs"):
        check_room(Resources(workers=1, gpu=2.0))


@pytest.mark.parametrize(
    ("ours", "free", "told"),
    [
        ({"REMOVED"}, 0.0, ""),
        ({"PENDING"}, 1.0, "waiting for 2 cores: the cluster has 1 free"),
        ({"PENDING"}, 2.0, "waiting for 2 cores: the cluster has 2 free"),  # on two nodes
        ({"PENDING", "CREATED"}, 0.0, ""),  # a process is being started
    ],
)
def test_why_no_job_starts(monkeypatch: pytest.MonkeyPatch, ours: set[str], free: float, told: str) -> None:
    groups = {f"{number:08x}02000000": {"state": state} for number, state in enumerate(ours)}
    groups["ff01000000"] = {"state": "CREATED"}  # another's
    context = SimpleNamespace(get_job_id=lambda: "02000000")
    monkeypatch.setattr(module, "placement_group_table", lambda: groups)
    monkeypatch.setattr(module.ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(module.ray, "available_resources", lambda: {"CPU": free})
    assert module.waiting_words(Resources(workers=1, cpu=2.0)) == told
