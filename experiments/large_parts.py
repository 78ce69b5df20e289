"""The parts of experiments/large.py, each run in a process of its own that is looked at from outside.

    python -m experiments.large_parts PART FOLDER ROWS COLUMNS FILES [CACHE]

prints one line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.data.store.log import EncodedLog, open_log
from experiments.large_log import described, simulated, widened

_STEP = 16 << 20
TURNS = 3  # of training from the mapped columns and from memory
TURN_ROWS = 400_000
POINTS = 20


def main() -> None:
    """One part, as its words say."""
    name, folder, rows, columns, files, *cache = sys.argv[1:]
    print(json.dumps(PARTS[name](Path(folder), int(rows), int(columns), int(files), *cache)))


def simulate(folder: Path, rows: int, columns: int, files: int) -> dict[str, Any]:
    """The simulator's log."""
    return {"mib": simulated(folder, rows).stat().st_size >> 20}


def widen(folder: Path, rows: int, columns: int, files: int) -> dict[str, Any]:
    """The log that is encoded."""
    log = widened(simulated(folder, rows), folder, rows, files, columns)
    return {"mib": sum(file.stat().st_size for file in log.iterdir()) >> 20}


def scan(folder: Path, rows: int, columns: int, files: int) -> dict[str, Any]:
    """Arrow's bare scan of the same columns, on one thread: batches are made and let go."""
    import pyarrow.dataset as ds

    log = ds.dataset(folder / "log")
    start, busy = time.perf_counter(), time.process_time()
    seen = sum(batch.num_rows for batch in log.to_batches(use_threads=False))
    assert seen == rows
    return {"scan_wall_s": round(time.perf_counter() - start, 2), "cpu_s": round(time.process_time() - busy, 2)}


def encode(folder: Path, rows: int, columns: int, files: int, cache: str = "cache") -> dict[str, Any]:
    """The log, encoded; a digest of all that was made of it."""
    from automl.data.encode.log import encode_log

    log = encode_log(described(folder, columns), folder, folder / cache)
    return {"fingerprint": log.fingerprint, "vocabulary": sum(map(len, log.inputs.id_counts))}


def digest(folder: Path) -> str:
    """Of the columns and encoders of an encoded log."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".npy", ".parquet", ".json")):
        with file.open("rb") as stream:
            while part := stream.read(_STEP):
                total.update(part)
    return total.hexdigest()[:16]


def train(folder: Path, rows: int, columns: int, files: int) -> dict[str, Any]:
    """The draft's baseline in one process: turns of training from the mapped columns and from copies of them in memory;
    then the last rows of the window as a trial has them, with all that goes over the whole window."""
    import torch

    from automl.commands.init import template_text
    from automl.ranking.model import build_model
    from automl.ranking.place import busy_seconds
    from automl.ranking.process import prepare_process
    from automl.ranking.recalibration import recalibrate, recent_rows
    from automl.ranking.scoring import evaluate
    from automl.ranking.training import base_rate, make_steppers
    from automl.ranking.training import train as trained
    from search_spaces.source import read_text
    from search_spaces.space import model_of

    torch.set_num_threads(1)
    prepare_process(1)
    log = encoded(folder)
    window = log.windows["train"]
    spec = model_of(read_text(template_text("ctr", "baseline.yaml"), "baseline.yaml"))
    model = build_model(spec, log.inputs, seed=1)
    steppers = make_steppers(model, spec, log, weights_seed=1)

    def seconds(examples: Any, of: slice) -> dict[str, float]:
        start, busy = time.perf_counter(), busy_seconds()
        for _ in trained(model, spec, examples, of, order_seed=1, weights_seed=1, points=1, steppers=steppers):
            pass
        return {"wall_s": time.perf_counter() - start, "cpu_s": busy_seconds() - busy}

    count = min(TURN_ROWS, (window.stop - window.start) // (TURNS + 1))
    turns: dict[str, list[dict[str, float]]] = {"mapped": [], "memory": []}
    for turn in range(TURNS):
        of = slice(window.start + turn * count, window.start + (turn + 1) * count)
        copied = in_memory(log, of)
        order = [("mapped", log, of), ("memory", copied, slice(0, count))]
        for name, examples, span in order if turn % 2 else order[::-1]:
            turns[name].append(seconds(examples, span))
    del copied, order, examples
    of_turns = {name: sum(turn["cpu_s"] for turn in told) for name, told in turns.items()}
    last = slice(max(window.start, window.stop - 2 * count), window.stop)
    seconds(log, last)
    base_rate(log, window)
    recalibrate(model, log, recent_rows(window))
    scores = evaluate(model, log, log.windows["validate"])
    return {
        "turn_rows": count,
        "turns": turns,
        "mapped_vs_memory": of_turns["memory"] / of_turns["mapped"],
        "mapped_rows_cpu_s": round(TURNS * count / of_turns["mapped"]),
        "validate_ne": round(scores.ne, 4),
        "table_rows": sum(log.inputs.table_rows(spec.embedding.min_count)),
    }


def encoded(folder: Path) -> EncodedLog:
    """The log that `encode` has made."""
    (facts,) = (folder / "cache").glob("*/facts.json")
    return open_log(facts.parent)


def in_memory(log: EncodedLog, rows: slice) -> EncodedLog:
    """Some rows of a log, copied."""
    names = ("ids_NF", "dense_ND", "labels_N", "weights_N", "clusters_N")
    return replace(log, **{name: np.array(getattr(log, name)[rows]) for name in names})


PARTS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "simulate": simulate,
    "widen": widen,
    "scan": scan,
    "encode": encode,
    "train": train,
}

if __name__ == "__main__":
    main()
