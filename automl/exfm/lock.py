"""What a run's folder is of: written when it starts, and held against whoever goes on with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from automl.exfm.problem import ExfmProblem
from automl.files.whole import whole_file
from automl.study.places import plugins_found, told
from automl.study.plain import Codec
from automl.study.plugins import changed, digests
from search_spaces.errors import InputError, Mistake, Position

LOCK = "exfm.lock.json"
_LEFT = ("teaching.json", "snapshots/*/snapshot.json", "das/*/_delta_log", "students/*/facts.json")  # of a run
_MAY_CHANGE = ("seeds", "compare", "timeout", "memory")  # keys of the file: more may be added to what was run


def _with_digests(found: object) -> object:
    return dict.fromkeys(found, "") if isinstance(found, list | tuple) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLock:
    """config: the file, without what may change. stream: fingerprint. teacher, upgrade, students: keys of the models.

    plugins: files that must be loaded before the run's models are read, each with a digest of its content ("": not
    known). They and the file are told relative to the run's folder; older locks have them absolute, without upgrade.
    """

    config: Mapping[str, object]
    stream: str
    teacher: str
    students: Mapping[str, str]
    file: str
    plugins: Annotated[Mapping[str, str], BeforeValidator(_with_digests)] = field(default_factory=dict)
    upgrade: str | None = None

    @classmethod
    def of(cls, problem: ExfmProblem) -> RunLock:
        """Of a run that starts."""
        tree = problem.config.model_dump(mode="json")
        return cls(
            config={key: value for key, value in tree.items() if key not in _MAY_CHANGE},
            stream=problem.stream.fingerprint,
            teacher=problem.teacher.key,
            students={student.name: student.spec.key for student in problem.students},
            file=told(problem.file, problem.folder),
            plugins={told(Path(file), problem.folder): digest for file, digest in digests().items()},
            upgrade=None if problem.upgrade is None else problem.upgrade.key,
        )

    def plugins_in(self, folder: Path) -> dict[str, str]:
        """The plug-ins where they lie now, with the digests of what they held."""
        return plugins_found(self.plugins, folder, self.file, None)

    def conflicts(self, other: RunLock) -> tuple[str, ...]:
        """What makes the two of different runs; the same file may have moved."""
        pairs = {
            "config": (self.config, other.config),
            "stream": (self.stream, other.stream),
            "teacher": (self.teacher, other.teacher),
            "upgrade of the teacher": (self.upgrade, other.upgrade)
            if None not in (self.upgrade, other.upgrade)
            else (),
            "students": (self.students, other.students),
        }
        return tuple(what for what, pair in pairs.items() if pair and pair[0] != pair[1])


_CODEC = Codec(RunLock)


def read_lock(folder: Path) -> RunLock | None:
    """Of a run's folder; None where none was started.

    Raises:
        InputError: where the file holds something else.
    """
    file = folder / LOCK
    return _CODEC.read(file) if file.exists() else None


def hold_plugins(lock: RunLock, folder: Path) -> None:
    """Ask whether the plug-ins of this process are those that the run's models were made by.

    Raises:
        InputError: for each whose content has changed.
    """
    others = changed(lock.plugins_in(folder))
    if others:
        must = f"must be the plug-in that {folder} was run with"
        hint = "its models have changed with it: use another --out"
        raise InputError(Mistake(Position(file), must, "another content", hint) for file in others)


def lock_run(problem: ExfmProblem) -> None:
    """Take the folder for this run: what was trained under another file must not be mixed in.

    Raises:
        InputError: where the folder is of another run, or holds what a run has left and not what that run was of.
    """
    lock, before = RunLock.of(problem), read_lock(problem.folder)
    if before is not None:
        hold_plugins(before, problem.folder)
    else:
        _need_nothing_left(problem.folder)
    conflicts = lock.conflicts(before) if before is not None else ()
    if conflicts:
        must = f"must be the run that {problem.folder} holds"
        hint = "use another --out; seeds may be added, and recipes to compare"
        raise InputError.of(str(problem.file), must, f"another {', '.join(conflicts)}", hint)
    if before != lock:
        with whole_file(problem.folder / LOCK) as part:
            part.write_text(json.dumps(_CODEC.plain(lock), indent=1))


def _need_nothing_left(folder: Path) -> None:
    """What was trained without a word of what it is of would be told as this run's."""
    left = next((found for pattern in _LEFT for found in sorted(folder.glob(pattern))), None)
    if left is not None:
        must = f"must tell what the run in this folder is of, since it has left {left.relative_to(folder)}"
        hint = "it is no lock of a process: put it back, or use another --out"
        raise InputError.of(str(folder / LOCK), must, "none", hint)
