"""An ExFM run from its file to its summary: the teacher streams once, then the students learn from what it said."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from rich.console import Console

from automl.exfm.das.pool import PoolSize, ScoringPool
from automl.exfm.das.reader import DasReader
from automl.exfm.das.system import Das
from automl.exfm.das.ticks import Tick, ticks_of
from automl.exfm.kept import keep_students
from automl.exfm.lock import lock_run
from automl.exfm.problem import ExfmProblem
from automl.exfm.said import note_said
from automl.exfm.student.jobs import StudentsSource, assignments_of, read_left
from automl.exfm.student.lessons import write_lessons
from automl.exfm.student.run import Assignment
from automl.exfm.summary import summarise
from automl.exfm.teacher.ensemble import Teacher, load_teacher
from automl.exfm.teacher.snapshots import Guard
from automl.exfm.teacher.taught import Taught, read_taught, write_taught
from automl.exfm.teacher.teaching import Teaching, Upgrade
from automl.ranking.process import prepare_process
from automl.runtime.cluster import cluster
from automl.runtime.console import ProgressLine, now
from automl.runtime.engine import run as run_jobs
from automl.runtime.head import cluster_address, node_address, watched_head
from automl.runtime.host import machine, versions
from automl.runtime.interrupt import deferred_interrupt
from automl.runtime.jobs import Resources
from automl.runtime.leftovers import watched
from automl.runtime.lock import hold
from automl.runtime.shared import need_shared
from automl.study.exfm_json import write_exfm
from automl.study.exfm_results import ExfmResult
from automl.study.plugins import files
from search_spaces.model import ModelSpec

_NS = 1e9


def run_exfm(
    problem: ExfmProblem,
    *,
    workers: int = 2,
    address: str | None = None,
    console: Console | None = None,
    clock: Callable[[], float] = time.time,
) -> ExfmResult:
    """Stream, score, teach, compare; write exfm.json. Killed, the same call goes on.

    Raises:
        InputError: where the folder holds a run of another file, results under the name of others, is in use, or is not
            seen by a machine of a cluster.
        RunError: where a student failed, or the cluster's head has ended.
        KeyboardInterrupt: stopped by hand.
    """
    console = console or Console(quiet=True)
    start = clock()
    assignments = assignments_of(problem)
    with hold(problem.folder), deferred_interrupt() as stop, ExitStack() as stack:
        lock_run(problem)
        for one in assignments.values():
            if one.out.exists():
                read_left(one)
        keep_students(problem)
        if read_taught(problem.folder) is None or not all(one.out.exists() for one in assignments.values()):
            stack.enter_context(watched())
            stack.enter_context(cluster(problem.folder, workers, address))
            if address is not None:
                need_shared(problem.folder)
        told = teach(problem, workers=workers, console=console)
        stop.check()
        run_students(problem, assignments, workers=workers, console=console)
        note_said(problem, assignments)
        for student in problem.students:
            stop.check()
            write_lessons(problem, student)
        found = summarise(problem, DasReader(problem.folder, problem.stream), assignments, told)
        result = replace(found, wall_seconds=clock() - start, machine=machine(), versions=versions())
        write_exfm(problem.folder, result)
    return result


def teach(problem: ExfmProblem, *, workers: int, console: Console) -> Taught:
    """The teacher's pass over the stream, or what is left of it; Ray must be up. What is said of it when it is over."""
    before = read_taught(problem.folder)
    if before is not None:
        return before
    config, stream = problem.config, problem.stream
    ticks = _ticks(problem)
    prepare_process(1)
    size = PoolSize(min_actors=1, max_actors=max(1, workers - 1))
    names = [student.name for student in problem.students]
    with (
        watched_head(cluster_address(), node=node_address()) as check_head,
        ScoringPool(stream, partial(load_teacher, plugins=files()), size) as pool,
        Das(problem.folder, stream, problem.members_NV, names, stream.tasks, _policy(problem), pool) as das,
        deferred_interrupt() as stop,
    ):
        guard = Guard(**config.teacher.guard.model_dump())
        age_ns = round(config.teacher.age * _NS)
        teacher = _teacher(problem, problem.teacher, config.teacher.members)
        teaching = Teaching(
            problem.folder, stream, das, teacher, age_ns=age_ns, guard=guard, upgrades=_upgrades(problem)
        )
        with ProgressLine(console, lambda: (das.committed, len(ticks), "teacher"), now) as line:
            pool.told = line.wait
            for _ in teaching.run(ticks):
                stop.check()
                check_head()
                line.update()
        told = Taught(
            counts=das.counts,
            refusals=teaching.refusals,
            train_seconds=teaching.train_seconds,
            ticks=len(ticks),
        )
    write_taught(problem.folder, told)
    return told


def run_students(
    problem: ExfmProblem, assignments: Mapping[str, Assignment], *, workers: int, console: Console
) -> None:
    """Students that have no results yet, as trials of Ray Tune; Ray must be up.

    Raises:
        RunError: where one of them failed.
    """
    config = problem.config
    source = StudentsSource(assignments, timeout_s=config.timeout, memory_bytes=config.memory)
    if source.done == len(assignments):
        return
    with ProgressLine(console, lambda: (source.done, len(assignments), "students"), now) as line:
        source.told = line.update
        line.update()
        run_jobs(source, Resources(workers=workers), told=line.wait)
    source.check()


def _teacher(problem: ExfmProblem, spec: ModelSpec, members: int) -> Teacher:
    columns, stream = problem.teacher_columns, problem.stream
    return Teacher(
        spec, columns.inputs(stream), columns, tasks=len(stream.tasks), members=members, seed=problem.config.seed
    )


def _upgrades(problem: ExfmProblem) -> tuple[Upgrade, ...]:
    config, spec = problem.config.teacher.upgrade, problem.upgrade
    if config is None or spec is None:
        return ()
    return (Upgrade(config.window, lambda: _teacher(problem, spec, config.members)),)


def _ticks(problem: ExfmProblem) -> tuple[Tick, ...]:
    every = problem.config.teacher.snapshot_every
    return ticks_of(problem.stream.times_N, problem.stream.windows, round(every * _NS) if every else None)


def _policy(problem: ExfmProblem) -> str:
    """What decides which snapshot scores a row."""
    teacher = problem.config.teacher
    return (
        f"{problem.teacher.key} x{teacher.members} seed {problem.config.seed} "
        f"every {teacher.snapshot_every or 'window'} age {teacher.age:g}{_upgrade_words(problem)}"
    )


def _upgrade_words(problem: ExfmProblem) -> str:
    config, spec = problem.config.teacher.upgrade, problem.upgrade
    return "" if config is None or spec is None else f" from window {config.window} {spec.key} x{config.members}"
