"""Two drivers of one search, each with a folder of its own, on one record in PostgreSQL; one is killed in the middle.

python -m experiments.two_drivers [--trials 40]

A second pair ends undisturbed, and one driver with as many workers as the two together stands beside it. What was
trained is told by notes of the trainings themselves.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.data.simulated.log import simulate
from automl.study.record import Study
from automl.study.storage import load_started
from experiments import fault_training
from experiments.fault_worlds import BASELINE, SPACE, STUDY, command
from experiments.postgres import Server, missing, server
from experiments.record import write_result

PATIENCE_S = 900.0


Units = frozenset[str]  # trainings: each a model's key and the seed of an order


@dataclass(frozen=True, slots=True)
class Killed:
    """What had ended by the record just after a driver was killed, and where the notes ended then."""

    ended: Units = frozenset()
    places: tuple[int, ...] = (0, 0)


def write_pair(root: Path, url: str, count: int = 2) -> list[Path]:
    """Folders of a driver each, all over one log and one record."""
    simulate(root / "drivers" / "log", rows=3000, users=100, items=40, seed=1)
    folders = [root / "drivers" / f"driver-{number}" for number in range(1, count + 1)]
    text = STUDY.replace("name: killed\n", f"name: killed {root.name}\nstorage: {url}\n")
    for folder in folders:
        folder.mkdir(parents=True)
        for name, what in (("study", text), ("space", SPACE), ("baseline", BASELINE)):
            (folder / f"{name}.yaml").write_text(what)
    return folders


def start(folder: Path, trials: int, workers: int) -> subprocess.Popen[bytes]:
    """A driver in its folder; what it says is in the file said."""
    words = command("search", folder / "study.yaml", "--trials", str(trials), "--workers", str(workers))
    with (folder / "said").open("ab") as said:
        return subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)


def run(folders: Sequence[Path], trials: int, workers: int, *, kill: bool = False) -> dict[str, Any]:
    """All drivers at once, until they end; those that are not killed must end well."""
    began = time.monotonic()
    drivers = [start(folder, trials, workers) for folder in folders]
    killed = kill_first(drivers[0], folders, trials) if kill else Killed()
    for folder, driver in zip(folders, drivers, strict=True):
        code = driver.wait(PATIENCE_S)
        if code != (-9 if kill and folder is folders[0] else 0):
            raise SystemExit(f"{folder} ended with {code}:\n{(folder / 'said').read_text()[-2000:]}")
    seconds = time.monotonic() - began
    found = record(folders[-1]).trials
    notes = [lines(folder) for folder in folders]
    after = [lines(folder, place) for folder, place in zip(folders, killed.places, strict=False)]
    ended = Counter(line for some in notes for line in some if line.startswith("end "))
    return {
        "trials": len(found),
        "ended": sum(trial.ended for trial in found),
        "budget_kept": len(found) == trials and all(trial.ended for trial in found),
        "models_twice": len(found) - len({trial.candidate.key for trial in found}),
        "repeats": sum(len(trial.repeats) for trial in found),
        "ended_before_the_kill": len(killed.ended),
        "begun_again": sum(line.removeprefix("begin ") in killed.ended for some in after for line in some),
        "trained_twice": sum(count - 1 for count in ended.values()),  # one that was killed before it was recorded is
        "by_driver": [sum(line.startswith("end ") for line in some) for some in notes],
        "seconds": round(seconds, 1),
    }


def kill_first(driver: subprocess.Popen[bytes], folders: Sequence[Path], trials: int) -> Killed:
    """Kill a driver when it has trained a sixth of the budget."""
    due = time.monotonic() + PATIENCE_S
    while sum(line.startswith("end ") for line in lines(folders[0])) < trials / 6:
        if driver.poll() is not None or time.monotonic() > due:
            raise SystemExit(f"it is not there to be killed:\n{(folders[0] / 'said').read_text()[-2000:]}")
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    ended = frozenset(units(record(folders[1])))
    return Killed(ended, tuple(notes_size(folder) for folder in folders))


def units(study: Study) -> Iterator[str]:
    """Every training that is recorded as ended."""
    for trial in (*study.baselines.repeats, *study.trials):
        seeds = [trial.seeds, *(repeat.seeds for repeat in trial.repeats)] if trial.ended else []
        yield from (f"{trial.candidate.model.key} {one['order']}" for one in seeds)


def record(folder: Path) -> Study:
    """What the record of a folder holds."""
    stored, space, _ = load_started(folder)
    return Study(stored, space)


def lines(folder: Path, place: int = 0) -> list[str]:
    """Notes of the trainings of a folder, from a place on."""
    notes = fault_training.notes_of(folder)
    return notes.read_bytes()[place:].decode().splitlines() if notes.exists() else []


def notes_size(folder: Path) -> int:
    """Bytes."""
    notes = fault_training.notes_of(folder)
    return notes.stat().st_size if notes.exists() else 0


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    trials = parser.parse_args().trials
    reason = missing()
    if reason is not None:
        raise SystemExit(f"skipped: {reason}")
    with server() as database, tempfile.TemporaryDirectory(prefix="drivers-") as name:
        found = {word: _one(Path(name) / word, database, trials, word) for word in ("pair", "killed", "one")}
    for word, figures in found.items():
        print(word, figures)
    killed = found["killed"]
    write_result(
        "two_drivers",
        settings={"trials": trials, "workers_each": 1},
        figures=found,
        headline={
            "lost": trials - killed["ended"],
            "begun_again": killed["begun_again"],
            "trained_twice_undisturbed": found["pair"]["trained_twice"],
            "models_twice": killed["models_twice"],
            "budget_kept": all(figures["budget_kept"] for figures in found.values()),
            "pair_over_one": round(found["pair"]["seconds"] / found["one"]["seconds"], 2),
        },
    )


def _one(root: Path, database: Server, trials: int, word: str) -> dict[str, Any]:
    root.mkdir()
    folders = write_pair(root, database.url, 1 if word == "one" else 2)
    found = run(folders, trials, 2 if word == "one" else 1, kill=word == "killed")
    told = subprocess.run(command("replay", folders[-1]), capture_output=True, text=True, check=True)
    return {**found, "replay": told.stdout.strip()}


if __name__ == "__main__":
    main()
