"""Ctrl-C at random moments of a search, of finals and of an ExFM run: seconds to the word ("stopping: ...") and to the
end of the process, and what it leaves: processes, and a record in which all that had ended is as it was.

Each moment is a run of the same command, which goes on from where the last one was stopped: so they fall into
checking, encoding, Ray's start, the baseline, proposals and trials, half of which take most of a minute. A run that
ended before its moment is begun anew.

python -m experiments.ctrl_c [--moments 20] [--quick]
"""

from __future__ import annotations

import argparse
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import automl as toolkit
from automl.runtime.leftovers import FOLDER, marked
from experiments import long_training
from experiments.record import write_result
from experiments.small_study import write_small_study
from search_spaces.errors import InputError

AUTOML = Path(sys.executable).with_name("automl")
WORD, END = b"stopping:", b"interrupted;"
EARLIEST_S, LATEST_S = 0.5, 30.0  # after the start: from imports to the middle of a trial, on a busy machine
LOOK_S, LEFT_AFTER_S = 0.01, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One Ctrl-C. A command that ended before it said a word needs none: then the word is its end."""

    command: str
    after_s: float
    word_s: float
    end_s: float
    code: int
    in_order: bool  # it ended by itself, not by its own time of grace
    left: int


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, the folder that it holds, and how it is begun anew when it has ended."""

    name: str
    words: tuple[str, ...]
    folder: Path
    anew: Callable[[], None]


def strike(command: Command, after_s: float) -> Moment | None:
    """One moment; None where the command ended before it."""
    process = subprocess.Popen(
        [AUTOML, *command.words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stderr is not None
    told = _read(process, time.monotonic() + after_s, b"")[0]
    if process.poll() is not None:
        process.stderr.close()
        if process.returncode != 0:
            raise SystemExit(f"{command.name} must not fail, but said {told.decode()[-500:]}")
        return None
    begin = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    told, word_at = _read(process, begin + 120.0, WORD)
    told += _read(process, begin + 120.0, b"")[0]
    code = process.wait(timeout=120)
    end_s = time.monotonic() - begin
    process.stderr.close()
    time.sleep(LEFT_AFTER_S)
    return Moment(
        command=command.name,
        after_s=round(after_s, 1),
        word_s=round(min((word_at or begin + end_s) - begin, end_s), 3),
        end_s=round(end_s, 2),
        code=code,
        in_order=END in told,
        left=len(marked(FOLDER, str(command.folder.absolute()))),
    )


def _read(process: subprocess.Popen[bytes], until: float, word: bytes) -> tuple[bytes, float | None]:
    """What it says until a moment, its end or that word; and when the word came."""
    told = b""
    assert process.stderr is not None
    while (left := until - time.monotonic()) > 0:
        if not select.select([process.stderr], [], [], min(left, LOOK_S))[0]:
            continue
        more = os.read(process.stderr.fileno(), 65536)
        if not more:
            process.wait(timeout=120)
            break
        told += more
        if word and word in told:
            return told, time.monotonic()
    return told, None


def ended_trials(folder: Path) -> dict[int, str]:
    """What the record says of every trial that has ended."""
    try:
        trials = toolkit.open_study(folder).history.trials
    except (InputError, RuntimeError):  # it was stopped before its baseline was there
        return {}
    return {trial.number: repr(replace(trial, repeats=())) for trial in trials if trial.ended}


def torment(command: Command, moments: int, rng: random.Random, *, study: bool) -> tuple[list[Moment], int]:
    """As many moments as asked; and how many ended trials were lost or changed by them."""
    found: list[Moment] = []
    before: dict[int, str] = {}
    wrong = 0
    while len(found) < moments:
        moment = strike(command, rng.uniform(EARLIEST_S, LATEST_S))
        if moment is None:
            command.anew()
            continue
        found.append(moment)
        print(moment, flush=True)
        if study:
            now = ended_trials(command.folder)
            wrong += sum(now.get(number) != told for number, told in before.items())
            before = now
    return found, wrong


def commands(home: Path, quick: bool) -> tuple[Command, ...]:
    """The three commands, each with a folder that it can go on in."""
    study, run, searched = home / "study", home / "exfm", home / "searched"
    file = study / "study.yaml"
    if not (searched / "report.html").exists():
        write_small_study(study, rows=20_000, plugin=Path(long_training.__file__), training="long")
        _automl("init", str(run), "--template", "exfm")
        short = write_small_study(searched, rows=20_000)
        _automl("search", str(short), "--trials", "4" if quick else "6", "--workers", "2")
    return (
        Command("search", ("search", str(file), "--trials", "1000", "--workers", "2"), study, lambda: None),
        Command("finals", ("finals", str(searched), "--workers", "2"), searched, lambda: _forget(searched, "finals")),
        Command(
            "exfm run", ("exfm", "run", str(run / "exfm.yaml"), "--workers", "2"), run, lambda: _forget(run, "students")
        ),
    )


def _forget(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part, ignore_errors=True)


def _automl(*words: str) -> None:
    subprocess.run([AUTOML, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def figures_of(moments: Sequence[Moment]) -> dict[str, Any]:
    """Worst and median, in seconds; codes, ends in order, processes left behind."""
    words, ends = [one.word_s for one in moments], [one.end_s for one in moments]
    return {
        "moments": len(moments),
        "word_s": {"median": median(words), "worst": max(words)},
        "end_s": {"median": median(ends), "worst": max(ends)},
        "codes": sorted({one.code for one in moments}),
        "in_order": sum(one.in_order for one in moments),
        "left_behind": sum(one.left for one in moments),
        "all": [
            {"after_s": one.after_s, "word_s": one.word_s, "end_s": one.end_s, "code": one.code} for one in moments
        ],
    }


def main() -> None:
    """Strike, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--home", type=Path, help="a folder to work in, and to go on in; it stays")
    parser.add_argument("--quick", action="store_true", help="two moments each; nothing is written")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it
    moments = 2 if arguments.quick else arguments.moments
    rng = random.Random(0)
    figures: dict[str, Any] = {}
    wrong = 0
    with ExitStack() as stack:
        home = arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for command in commands(home, arguments.quick):
            found, lost = torment(command, moments, rng, study=command.name != "exfm run")
            figures[command.name] = figures_of(found)
            wrong += lost
    figures["ended_lost_or_changed"] = wrong
    print(figures)
    if not arguments.quick:
        write_result("ctrl_c", settings={"moments": moments, "seed": 0}, figures=figures, headline=_headline(figures))


def _headline(figures: Mapping[str, Any]) -> dict[str, Any]:
    parts = [part for part in figures.values() if isinstance(part, dict)]
    return {
        "moments": sum(part["moments"] for part in parts),
        "word_worst_s": max(part["word_s"]["worst"] for part in parts),
        "ctrl_c_worst_s": max(part["end_s"]["worst"] for part in parts),
        "left_behind": sum(part["left_behind"] for part in parts),
        "ended_lost_or_changed": figures["ended_lost_or_changed"],
    }


if __name__ == "__main__":
    main()
