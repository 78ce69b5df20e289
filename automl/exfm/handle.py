"""ExFM runs from Python: start one or go on, open one that is over, take its students.

A function loads what it needs when it is called, after the files that it was given are found to be sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.exfm.lock import LOCK, hold_plugins, read_lock
from automl.exfm.problem import load_exfm
from automl.runtime.rate_line import RateLine, says
from automl.study.exfm_json import EXFM_JSON, is_exfm, read_exfm
from automl.study.exfm_results import ExfmResult
from automl.study.plugins import plug_in_files
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

Version = tuple[tuple[int, int, int] | None, ...]


class ExfmHandle:
    """A run that is over: what it found, its report, its students. Whatever is asked is answered of the run as it is
    then: another process may go on with it while a handle is kept.

    Raises:
        InputError: from all that is asked, where the folder holds no run any more, one that cannot be read, or figures
            of another stream than its run's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._version, self._result = _version_of(folder), _result_in(folder)

    @property
    def result(self) -> ExfmResult:
        """What the run found."""
        version = _version_of(self.folder)
        if version != self._version:
            self._version, self._result = version, _result_in(self.folder)
        return self._result

    def summary(self) -> str:
        """Text for a terminal: a line a student."""
        from automl.report.exfm import exfm_lines

        return "\n".join(exfm_lines(self.result))

    def report(self, out: Path | None = None) -> Path:
        """Write exfm.html into the run's folder, or into another; the page's path."""
        from automl.report.exfm import write_exfm_report

        return write_exfm_report(self.result, out or self.folder)

    def export(self, file: Path | str, *, student: str, recipe: str | None = None, seed: int = 0) -> Mapping[str, Any]:
        """Write the student that would serve after the last window, with its encoders, to one file; what was written.

        `recipe` is the student's own where it is left out; `seed` counts from 0.

        Raises:
            InputError: where the run has no such student, recipe or seed, or what it left is not what it was.
            automl.runtime.errors.RunError: where the file does not predict what the student predicted.
        """
        lock = read_lock(self.folder)
        if lock is None:
            raise InputError.of(str(self.folder), f"must hold {LOCK}", "none", "it says what the run is of")
        hold_plugins(lock, self.folder)
        from automl.exfm.export import export_student

        return export_student(self.folder, self.result, Path(file), student=student, recipe=recipe, seed=seed)


def exfm_run(
    file: Path | str,
    *,
    workers: int = 2,
    out: Path | None = None,
    address: str | None = None,
    console: Console | None = None,
) -> ExfmHandle:
    """Stream a log past a teacher and its students, or go on where it stopped; see docs/exfm.md.

    Raises:
        InputError: the file, its models or its data are wrong.
        automl.runtime.errors.RunError: a student failed.
    """
    with RateLine(lambda: console) as passed:
        problem = load_exfm(Path(file), out, passed, says(console))
    from automl.exfm.run import run_exfm

    run_exfm(problem, workers=workers, address=address, console=console)
    return ExfmHandle(problem.folder)


def open_exfm(folder: Path | str) -> ExfmHandle:
    """A run that has ended before.

    Raises:
        InputError: where the folder holds none, one that cannot be read, or figures of another stream than its run's.
    """
    return ExfmHandle(Path(folder).absolute())


def _version_of(folder: Path) -> Version:
    """What changes when the figures of a run, or what it is of, are written anew."""
    told = [(folder / name).stat() if (folder / name).exists() else None for name in (EXFM_JSON, LOCK)]
    return tuple(None if one is None else (one.st_ino, one.st_mtime_ns, one.st_size) for one in told)


def _result_in(folder: Path) -> ExfmResult:
    if not is_exfm(folder):
        hint = "it was started, but not ended: automl exfm run goes on" if (folder / LOCK).exists() else ""
        raise InputError.of(str(folder), "must hold an ExFM run that has ended", f"no {EXFM_JSON}", hint)
    lock = read_lock(folder)
    plug_in_files(lock.plugins_in(folder) if lock is not None else ())
    result = read_exfm(folder)
    if lock is not None and result.stream not in ("", lock.stream):
        must, hint = (
            f"must be of the stream that {LOCK} tells of ({lock.stream})",
            "automl exfm run goes on, and writes it",
        )
        raise InputError.of(str(folder / EXFM_JSON), must, result.stream, hint)
    return result


__all__ = ["ExfmHandle", "exfm_run", "open_exfm"]
