"""What a run's folder is of: written when it starts, and held against whoever goes on with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from automl.exfm.problem import ExfmProblem
from automl.files.whole import whole_file
from automl.study.plain import Codec
from automl.study.plugins import files
from search_spaces.errors import InputError

LOCK = "exfm.lock.json"
_MAY_CHANGE = ("seeds", "compare", "timeout", "memory")  # keys of the file: more may be added to what was run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLock:
    """config: the file, without what may change. stream: fingerprint. teacher, students: keys of the models.

    plugins: files that must be loaded before the run's models are read.
    """

    config: Mapping[str, object]
    stream: str
    teacher: str
    students: Mapping[str, str]
    file: str
    plugins: tuple[str, ...] = ()

    @classmethod
    def of(cls, problem: ExfmProblem) -> RunLock:
        """Of a run that starts."""
        tree = problem.config.model_dump(mode="json")
        return cls(
            config={key: value for key, value in tree.items() if key not in _MAY_CHANGE},
            stream=problem.stream.fingerprint,
            teacher=problem.teacher.key,
            students={student.name: student.spec.key for student in problem.students},
            file=str(problem.file),
            plugins=files(),
        )

    def conflicts(self, other: RunLock) -> tuple[str, ...]:
        """What makes the two of different runs; the same file may have moved."""
        pairs = {
            "config": (self.config, other.config),
            "stream": (self.stream, other.stream),
            "teacher": (self.teacher, other.teacher),
            "students": (self.students, other.students),
        }
        return tuple(what for what, (mine, theirs) in pairs.items() if mine != theirs)


_CODEC = Codec(RunLock)


def read_lock(folder: Path) -> RunLock | None:
    """Of a run's folder; None where none was started.

    Raises:
        InputError: where the file holds something else.
    """
    file = folder / LOCK
    return _CODEC.read(file) if file.exists() else None


def lock_run(problem: ExfmProblem) -> None:
    """Take the folder for this run: what was trained under another file must not be mixed in.

    Raises:
        InputError: where the folder is of another run.
    """
    lock, before = RunLock.of(problem), read_lock(problem.folder)
    conflicts = lock.conflicts(before) if before is not None else ()
    if conflicts:
        must = f"must be the run that {problem.folder} holds"
        hint = "use another --out; seeds may be added, and recipes to compare"
        raise InputError.of(str(problem.file), must, f"another {', '.join(conflicts)}", hint)
    if before is None or (before.file, before.plugins) != (lock.file, lock.plugins):
        with whole_file(problem.folder / LOCK) as part:
            part.write_text(json.dumps(_CODEC.plain(lock), indent=1))
