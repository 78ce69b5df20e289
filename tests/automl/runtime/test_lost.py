"""A trial whose machine was lost is run again and costs nothing; one that ended its own process has failed."""

from __future__ import annotations

import os
import socket
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.core.generated import common_pb2, gcs_pb2

from automl.runtime import lost
from automl.runtime.engine import Desk
from automl.runtime.jobs import Done, Job, Limits, Outcome, Payload, Progress, Step, Wait
from automl.runtime.limits import write_note
from automl.runtime.lost import PATIENCE_S, RUNS, STEP_S, Death, Fate, read_death
from automl.study.history import Failure

DONE = Step(share=1.0, done=True)


@dataclass(frozen=True, slots=True)
class Nothing:
    """A payload that no test runs."""

    work: str = "nowhere:nothing"


@dataclass(frozen=True, slots=True)
class Long:
    """One that leaves checkpoints."""

    checkpoint: str
    work: str = "nowhere:long"


class Jobs:
    """Two jobs, and what the source is told of them."""

    def __init__(self, payload: Payload) -> None:
        self._left = deque(Job(name, payload) for name in ("one", "two"))
        self.told: list[tuple[str, Failure | None]] = []

    def next(self, running: int) -> Job | Wait | Done:
        return self._left.popleft() if self._left else Done()

    def keep_going(self, job: Job, progress: Progress) -> bool:
        return True

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.told.append((job.name, outcome.failure))


class World:
    """A desk, its clock, and what Ray's books say of processes."""

    def __init__(self, folder: Path, workers: int = 2, payload: Payload | None = None) -> None:
        self.now, self.says = 100.0, dict[str | None, Fate]()
        self.jobs = Jobs(payload or Nothing())
        self.held = dict[str, int]()
        self.desk = Desk(
            self.jobs,
            workers,
            folder,
            lambda: self.now,
            look=lambda actor: Death(self.says[actor]),
            held=lambda folder, job: self.held.get(job, 0),
        )

    def loses(self, trial: str, fate: Fate) -> None:
        self.says[f"actor of {trial}"] = fate
        self.desk.lost(trial, f"actor of {trial}")
        self.desk.end(trial, None, None)

    def later(self, seconds: float = 2 * STEP_S) -> None:
        self.now += seconds
        self.desk.look_up()


def name(job: Job | Wait | Done) -> str:
    assert isinstance(job, Job)
    return job.name


def test_a_job_of_a_lost_machine_is_given_out_again_and_told_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert [name(world.desk.give(trial)) for trial in "ab"] == ["one", "two"]
    world.loses("a", Fate.NODE)
    world.later()
    assert name(world.desk.give("c")) == "one"
    for trial in "bc":
        world.desk.end(trial, DONE, 101.0)
    assert world.jobs.told == [("two", None), ("one", None)]
    assert isinstance(world.desk.give("d"), Done)


def test_there_is_no_last_job_while_another_may_have_to_be_run_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert [name(world.desk.give(trial)) for trial in "ab"] == ["one", "two"]
    assert isinstance(world.desk.give("c"), Wait)


def test_a_job_that_ended_its_own_process_has_failed_and_is_not_run_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.desk.give("a")
    world.loses("a", Fate.OWN)
    world.later()
    (told,) = world.jobs.told
    assert told[1] is not None
    assert "without a word" in told[1].reason
    assert name(world.desk.give("b")) == "two"


def test_a_job_whose_process_died_goes_on_from_a_new_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints" / "one.pt"
    file.parent.mkdir()
    world = World(tmp_path, payload=Long(str(file)))
    for turn in range(2):
        assert name(world.desk.give(str(turn))) == "one"
        file.write_text("so far")
        os.utime(file, ns=(turn, 7 + turn))
        world.loses(str(turn), Fate.OWN)
        world.later()
    assert name(world.desk.give("2")) == "one"
    assert world.jobs.told == []
    world.desk.end("2", DONE, 101.0)
    assert world.jobs.told == [("one", None)]
    assert not file.parent.exists()


@pytest.mark.parametrize("moved", [False, True])
def test_a_job_that_dies_again_without_a_new_one_or_too_often_has_failed(moved: bool, tmp_path: Path) -> None:
    file = tmp_path / "one.pt"
    world = World(tmp_path, payload=Long(str(file)))
    for turn in range(RUNS if moved else 2):
        assert name(world.desk.give(str(turn))) == "one"
        if moved or turn == 0:
            file.write_text("so far")
            os.utime(file, ns=(turn, 7 + turn))
        world.loses(str(turn), Fate.OWN)
        world.later()
    ((_, failure),) = world.jobs.told
    assert failure is not None
    assert "without a word" in failure.reason
    assert not file.exists()


def test_a_job_that_broke_a_limit_does_not_go_on(tmp_path: Path) -> None:
    file = tmp_path / "one.pt"
    world = World(tmp_path, payload=Long(str(file)))
    world.desk.give("a")
    file.write_text("so far")
    write_note(tmp_path / "one.json", Failure("memory", "held too much"))
    world.loses("a", Fate.OWN)
    world.later()
    assert world.jobs.told == [("one", Failure("memory", "held too much"))]


def test_a_dead_job_is_settled_where_nothing_but_more_is_asked_for(tmp_path: Path) -> None:
    """As Tune does where no trial is left: it asks for more a minute long before its loop turns again."""
    world = World(tmp_path)
    world.desk.give("a")
    world.loses("a", Fate.OWN)
    world.now += 2 * STEP_S
    assert name(world.desk.give("b")) == "two"
    assert [told[0] for told in world.jobs.told] == ["one"]


def test_nothing_is_decided_before_the_books_are_clear_and_other_jobs_go_on(tmp_path: Path) -> None:
    world = World(tmp_path, workers=0)
    world.desk.give("a")
    world.loses("a", Fate.OPEN)
    world.later()
    assert name(world.desk.give("b")) == "two", "what is dead holds no place"
    assert world.jobs.told == []
    world.desk.end("b", DONE, 101.0)
    world.says["actor of a"] = Fate.NODE
    world.later()
    assert name(world.desk.give("c")) == "one"
    world.loses("c", Fate.OPEN)
    world.later(PATIENCE_S)
    assert name(world.desk.give("d")) == "one", "books that never say anything are of a machine that is lost"


def test_a_job_that_loses_machine_after_machine_is_given_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    for turn in range(RUNS):
        assert name(world.desk.give(str(turn))) == "one"
        world.loses(str(turn), Fate.NODE)
        world.later()
    assert world.jobs.told == [("one", Failure("lost", f"{RUNS} times it was lost with the machine it ran on"))]


def test_a_job_that_holds_too_much_for_a_while_is_ended_and_told_by_its_limit(tmp_path: Path) -> None:
    world = World(tmp_path)
    for trial in "ab":
        world.desk.give(trial)
    limit = Limits().memory_bytes

    def looks(*held: int) -> list[bool]:
        found = []
        for world.held["one"] in held:
            found.append(world.desk.to_end("a", 0.5))
            assert not world.desk.to_end("b", 0.5)
        return found

    assert not any(looks(limit, limit + 1, limit + 1, 0, limit + 1, limit + 1, limit + 1, limit + 1))
    assert looks(limit + (3 << 20)) == [True]
    assert looks(0) == [True], "it is on its way out"
    world.loses("a", Fate.OPEN)
    world.later()
    (told,) = world.jobs.told
    assert told == ("one", Failure("memory", "held 4099 MiB, above its limit of 4096 MiB"))


def test_what_the_driver_had_stopped_is_stopped_even_if_its_machine_is_lost(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.jobs.keep_going = lambda job, progress: False  # type: ignore[method-assign]
    world.desk.give("a")
    assert not world.desk.keep_going("a", Step(share=0.5), 100.0)
    world.loses("a", Fate.NODE)
    assert world.jobs.told == [("one", None)]


def entry(state: str = "DEAD", **cause: Any) -> dict[str, Any]:
    """As ray._private.state has it, with Ray's own protocol in it."""
    return {"State": state, "Address": {"NodeID": "n1"}, "DeathCause": gcs_pb2.ActorTableData(
        death_cause=common_pb2.ActorDeathCause(**cause)).death_cause}  # fmt: skip


def died(reason: str) -> dict[str, Any]:
    kind = common_pb2.ActorDiedErrorContext
    return {"actor_died_error_context": kind(reason=getattr(kind, reason))}


@pytest.mark.parametrize(
    ("found", "fate"),
    [
        ({}, Fate.OWN),
        (entry("ALIVE"), Fate.OPEN),
        (entry(**died("WORKER_DIED")), Fate.OWN),
        (entry(**died("NODE_DIED")), Fate.NODE),
        (entry(**died("RAY_KILL")), Fate.NODE),  # by the driver, which could not reach it any more
        (entry(oom_context=common_pb2.OomContext()), Fate.OWN),
        (entry(creation_task_failure_context=common_pb2.RayException()), Fate.OWN),
    ],
)
def test_rays_books_are_read(found: dict[str, Any], fate: Fate) -> None:
    assert read_death(found) == Death(fate, "n1" if found else "")


def test_a_process_that_went_just_before_its_node_was_lost_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as up:
        up.bind(("127.0.0.1", 0))
        up.listen()
        node = {
            "NodeID": "n1",
            "Alive": True,
            "NodeManagerAddress": "127.0.0.1",
            "NodeManagerPort": up.getsockname()[1],
        }
        assert not lost._is_gone("n1", [node])
        assert lost._is_gone("n1", [{**node, "Alive": False}])
    assert lost._is_gone("n1", [node])
    assert not lost._is_gone("n2", [node]), "of a node that Ray does not know nothing is claimed"


def test_the_lost_actor_of_a_trial_is_read_from_what_tune_keeps(tmp_path: Path) -> None:
    assert lost.actor_of(SimpleNamespace(pickled_error_file=None)) is None
    file = tmp_path / "error.pkl"
    assert lost.actor_of(SimpleNamespace(pickled_error_file=str(file))) is None
