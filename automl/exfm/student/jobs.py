"""The students' pass: every student, recipe and seed is a Ray Tune trial that reads the same augmented log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from automl.exfm.problem import ExfmProblem, Student
from automl.exfm.student.facts import FACTS, read_run_of
from automl.exfm.student.recipes import Recipe
from automl.exfm.student.run import Assignment, run_student
from automl.runtime.errors import RunError
from automl.runtime.jobs import Done, Job, Limits, Outcome, Progress, Step, Wait
from automl.study.exfm_results import RunFacts
from search_spaces.errors import InputError

STUDENTS = "students"


def assignments_of(problem: ExfmProblem) -> dict[str, Assignment]:
    """What is to be run, by the name of its job: seed by seed, so that a killed run leaves whole seeds."""
    return {
        job_name(student.name, recipe.name, seed): assignment_of(problem, student, recipe, seed)
        for seed in range(problem.config.seeds)
        for student in problem.students
        for recipe in student.recipes
    }


def job_name(student: str, recipe: str, seed: int) -> str:
    """A file name."""
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in recipe)
    return f"{student}.{plain}.seed-{seed}"


def assignment_of(problem: ExfmProblem, student: Student, recipe: Recipe, seed: int) -> Assignment:
    return Assignment(
        student=student.name,
        recipe=recipe,
        spec=student.spec,
        columns=student.columns,
        members_N=student.members_N,
        task=student.task,
        negatives_kept=student.negatives_kept,
        seed=problem.config.seed * 1000 + seed,
        stream=problem.stream.folder,
        run=problem.folder,
        out=problem.folder / STUDENTS / job_name(student.name, recipe.name, seed),
    )


def read_left(one: Assignment) -> RunFacts:
    """The facts of its results.

    Raises:
        InputError: where what lies there is of another student, recipe or seed, or of another model.
    """
    found = read_run_of(one.out, vm=one.student, recipe=one.recipe.name, seed=one.seed)
    keys = {arm: replace(one.spec, distill=distill).key for arm, distill in one.recipe.arms}
    if keys.get(found.serving) != found.spec.key:
        must = f"must be of the model that the file names for {one.student}"
        hint = "use another --out for another model, or put the model's file back"
        raise InputError.of(str(one.out / FACTS), must, "another model", hint)
    return found


@dataclass(frozen=True, slots=True)
class TeachStudent:
    """One student under one recipe and seed. Its assignment holds a flag for every row of the stream: it lies in a
    file."""

    assignment: str  # file
    work: ClassVar[str] = "automl.exfm.student.jobs:teach_student"


def teach_student(asked: TeachStudent) -> Iterator[Step]:
    """What a worker does with a TeachStudent: the results lie in its folder when it is done."""
    from ray import cloudpickle

    run_student(cloudpickle.loads(Path(asked.assignment).read_bytes()))
    yield Step(share=1.0, done=True)


class StudentsSource:
    """Jobs of the students that have no results yet."""

    def __init__(self, assignments: Mapping[str, Assignment], *, timeout_s: float, memory_bytes: int) -> None:
        self._assignments, self._limits = assignments, Limits(timeout_s=timeout_s, memory_bytes=memory_bytes)
        self.told: Callable[[], None] = lambda: None
        for one in assignments.values():
            one.out.parent.mkdir(parents=True, exist_ok=True)
        self._left = deque(name for name, one in assignments.items() if not one.out.exists())
        self._failures: dict[str, str] = {}

    @property
    def done(self) -> int:
        return sum(one.out.exists() for one in self._assignments.values())

    def next(self, running: int) -> Job | Wait | Done:
        if not self._left:
            return Wait() if running else Done()
        name = self._left.popleft()
        return Job(name, TeachStudent(str(self._write(name))), self._limits)

    def keep_going(self, job: Job, progress: Progress) -> bool:
        return True

    def ended(self, job: Job, outcome: Outcome) -> None:
        if outcome.failure is not None:
            self._failures[job.name] = str(outcome.failure.reason)
        self._file(job.name).unlink(missing_ok=True)
        self.told()

    def check(self) -> None:
        """Raise where a student has no result.

        Raises:
            RunError: naming them, with reasons.
        """
        if self._failures:
            lines = [f"{name}: {reason}" for name, reason in sorted(self._failures.items())]
            raise RunError(f"{len(lines)} of {len(self._assignments)} students failed; the first: {lines[0]}")

    def _write(self, name: str) -> Path:
        from ray import cloudpickle

        file = self._file(name)
        file.write_bytes(cloudpickle.dumps(self._assignments[name]))  # type: ignore[no-untyped-call]
        return file

    def _file(self, name: str) -> Path:
        """Of one that is under way: beside its results, where every worker can read it."""
        out = self._assignments[name].out
        return out.with_name(f"{out.name}.assignment")
