"""One training in a process of its own: CPU seconds of a pass over given rows, its data loader's included, and memory.

    python -m experiments.rivals.worker CASE LIBRARY CORE BARE

Prints a line of JSON. BARE is 1 where the batches are ready before the clock starts.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

from automl.ranking.model import build_model
from automl.ranking.process import prepare_process
from automl.ranking.training import train
from experiments.rivals.cases import CASES, LR, OURS, OURS_BF16, Case
from experiments.rivals.made import make
from experiments.rivals.rows import Rows

WARM = 4  # batches


def main() -> None:
    """Warm up on a few batches, then measure."""
    name, library, core, bare = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    prepare_process()
    case = CASES[name]
    rows = case.rows()
    before = _memory()
    seconds = ours(case, library, rows) if library in (OURS, OURS_BF16) else theirs(case, library, rows, bare == "1")
    told = {"rows_per_cpu_s": case.trained / seconds, "memory_mb": _memory() - before}
    print("\n" + json.dumps(told))


def ours(case: Case, name: str, rows: Rows) -> float:
    """The whole of train(): order, mean of the last weights, curve."""
    spec = case.spec(name)
    model = build_model(spec, rows.inputs, seed=1)
    parts = {"order_seed": 1, "weights_seed": 1}
    for _ in train(build_model(spec, rows.inputs, seed=1), spec, rows, slice(0, WARM * case.batch), **parts):
        pass
    start = _cpu_seconds()
    for _ in train(model, spec, rows, slice(0, case.trained), **parts):
        pass
    return _cpu_seconds() - start


def theirs(case: Case, library: str, rows: Rows, bare: bool) -> float:
    """One pass of the library's loop over its loader, or over what it gave before."""
    made = make(library, case.wanted, rows, LR, seed=1)
    assert made is not None, f"{library} has no {case.wanted.model}"
    made.learn(list(made.loader(rows[: WARM * case.batch], case.batch)))
    batches: Any = made.loader(rows[: case.trained], case.batch)
    if bare:
        batches = list(batches)
    start = _cpu_seconds()
    made.learn(batches)
    del batches  # its worker ends with it, and is counted
    return _cpu_seconds() - start


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _memory() -> float:
    """The most that was held so far, MiB; of workers the largest one beside it."""
    return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


if __name__ == "__main__":
    main()
