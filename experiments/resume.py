"""What checkpoints cost, and whether a killed training ends as one that nobody disturbed.

    python -m experiments.resume [--quick]

A training of the library's `dcnv2` on KuaiRand CTR leaves a checkpoint at each of its points and is killed (-9) as soon
as so many are there, goes on, is killed again, and ends: its predictions are held against those of one that is left
alone, byte for byte. Writing is timed there, and for a table of 5.2 million rows.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from automl.ranking.losses import LabelLoss
from automl.ranking.model import build_member
from automl.ranking.process import prepare_process
from automl.ranking.stepper import Stepper
from automl.runtime.checkpoints import Checkpoints
from automl.runtime.jobs import TrainModel
from automl.runtime.work import train_and_score
from automl.study.problem import Problem, load_problem
from experiments.live import LOGS
from experiments.record import write_result
from experiments.zoo import published
from search_spaces.model import InputShape, ModelSpec

NAME, LOG, MODEL = "resume", "kuairand-ctr", "dcnv2"
KILLS = (1, 7, 13, 18)  # of 19 checkpoints, the one after which it is killed
TABLE = InputShape(id_counts=((2,) * 2_600_000,) * 2, dense=1, train_rows=10_400_000)


def main() -> None:
    """Both parts, or with a folder one training in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one kill")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    prepare_process()
    problem = load_problem(LOGS[LOG].write(f"zoo-{LOG}"))
    if parsed.one is not None:
        list(train_and_score(asked(problem, parsed.one)))
        return
    kills = KILLS[:1] if parsed.quick else KILLS
    with tempfile.TemporaryDirectory() as folder:
        alone = learned(problem, Path(folder) / "alone", every=False)
        each = learned(problem, Path(folder) / "each", every=True)
        same = [disturbed(Path(folder) / f"kill-{after}", after) == alone["bytes"] for after in kills]
        large = large_table(Path(folder))
    seconds = each["write_s"]
    figures = {
        "train_s": alone["train_s"],
        "mib": each["mib"],
        "write_s": seconds,
        "share_if_each_minute_pct": 100 * seconds / 60,
        "kills": len(kills),
        "same_bytes": sum(same),
        "large_table": large,
    }
    write_result(NAME, settings={"log": LOG, "model": MODEL, "kills": kills}, figures=figures, headline=figures)
    print(figures)


def asked(problem: Problem, folder: Path, every: bool = True) -> TrainModel:
    spec = dict(published(problem))[MODEL]
    return TrainModel(
        model=spec.to_tree(),
        log=str(problem.log.folder),
        predictions=str(folder / "probs.npy"),
        checkpoint=str(folder / "one.pt") if every else None,
        checkpoint_s=0.0,
    )


def learned(problem: Problem, folder: Path, *, every: bool) -> dict[str, Any]:
    """A training in this process; how long a checkpoint takes is seen from outside."""
    folder.mkdir()
    job, spent = asked(problem, folder, every), []
    write = Checkpoints.write

    def timed(self: Checkpoints, *args: Any) -> bool:
        start = time.perf_counter()
        done = write(self, *args)
        spent.append(time.perf_counter() - start)
        return done

    Checkpoints.write = timed  # type: ignore[method-assign]
    try:
        *_, last = train_and_score(job)
    finally:
        Checkpoints.write = write  # type: ignore[method-assign]
    assert last.measurement is not None
    found = {"train_s": last.measurement.seconds["train"], "bytes": (folder / "probs.npy").read_bytes()}
    if every:
        found |= {"write_s": median(spent), "mib": (folder / "one.pt").stat().st_size / 2**20}
    return found


def disturbed(folder: Path, after: int) -> bytes:
    """Killed once so many checkpoints are there, and again at the next one; then left alone. Its predictions."""
    folder.mkdir()
    file, words = folder / "one.pt", [sys.executable, "-m", "experiments.resume", "--one", str(folder)]
    for wanted in (after, 1):
        process, seen, stamp = subprocess.Popen(words), 0, file.stat().st_mtime_ns if file.exists() else 0
        while seen < wanted and process.poll() is None:
            time.sleep(0.002)
            now = file.stat().st_mtime_ns if file.exists() else 0
            seen, stamp = seen + (now != stamp), now
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(words, check=True)
    return (folder / "probs.npy").read_bytes()


def large_table(folder: Path) -> dict[str, float]:
    """A model whose table has 5.2 million rows of 16, while the mean of its weights is collected."""
    spec = ModelSpec()
    model = build_member(spec, TABLE, seed=0)
    stepper = Stepper(model, spec, LabelLoss())
    stepper.average()
    job = TrainModel(model=spec.to_tree(), log="none", checkpoint=str(folder / "large.pt"))
    kept = Checkpoints(job, "none")
    start = time.perf_counter()
    kept.write({f"0.{name}": part for name, part in stepper.live().items()}, (), 0.0)
    written = time.perf_counter()
    other = Stepper(build_member(spec, TABLE, seed=1), spec, LabelLoss())
    begun = time.perf_counter()
    other.restore({name.removeprefix("0."): part for name, part in kept.read().course.items()})
    return {
        "rows": float(sum(TABLE.table_rows(spec.embedding.min_count))),
        "mib": (folder / "large.pt").stat().st_size / 2**20,
        "write_s": written - start,
        "read_s": time.perf_counter() - begun,
    }


if __name__ == "__main__":
    main()
