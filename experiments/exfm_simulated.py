"""A stream whose truth is known: drift, new items, domains that differ; a teacher that cannot tell the domains apart.

python -m experiments.exfm_simulated [--quick] [--seeds 3] [--workers 2]

1. The table: three students of one domain each and one of all, taught by a teacher without the domain among its
   features (a bias of its own in every domain) and by one with it; distance to the NE of the true probabilities.
2. Staleness: a teacher 0 to 4 days old, auxiliary head with and without the adapter.
3. Transfer: teachers of 1x, 4x, 16x and 50x the student's FLOPs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console
from scipy.stats import ttest_1samp

from automl.data.simulated.stream import simulate_stream
from automl.exfm.problem import ExfmProblem, load_exfm
from automl.exfm.run import run_exfm
from automl.stats.metrics import NESums
from automl.study.exfm_figures import AUTO, NONE, PartFigures
from experiments.record import write_result
from experiments.studies import STUDIES

RECIPES = ("plain", "calibrated", "auxiliary-averaged", "auxiliary-adapter", "plain-averaged", "calibrated-averaged")
_FILE = """\
name: {name}
data:
  path: ../exfm-simulated-log/log.parquet
  join:
    - {{path: ../exfm-simulated-log/users.parquet, on: user_id}}
    - {{path: ../exfm-simulated-log/items.parquet, on: item_id}}
  time: {{column: time_ms, unit: ms}}
  labels: {{click: {{column: click, arrives: label_time_ms}}}}
  cluster: user_id
  segments: {{user: user_id, item: item_id}}
  features:
    categorical:
      {{user_id: {{}}, item_id: {{}}, domain: {{}}, tab: {{}}, "@hour": {{}}, age_band: {{}}, city: {{}}, segment: {{}},
        device: {{}}, category: {{}}, author_id: {{}}, tag: {{}}, format: {{}}}}
    dense: {{duration_ms: {{transform: log}}, price: {{transform: log}}, weeks_since_signup: {{transform: log}}}}
    counters: {{keys: [user_id, item_id, author_id, [user_id, category]], labels: [click], every: 1h, half_life: 3d}}
teacher: {{model: teacher.yaml, members: {members}, snapshot_every: 6h, age: {age}, without: [{without}]}}
students:
{students}
compare: [{compare}]
score_from: 7
seeds: {seeds}
seed: 1
"""
_STUDENT = """\
embedding: {dim: 8, lr: 0.1, min_count: 1}
deep: [{mlp: {width: 64}}, {mlp: {width: 32}}]
train: {batch_size: 128, dense_lr: 1.0e-3}
"""
_TEACHER = """\
embedding: {{dim: {dim}, lr: 0.07, min_count: 1}}
deep: [{deep}]
train: {{batch_size: 256, dense_lr: 1.0e-3}}
"""
_SIZES = {"1x": (8, (64, 32)), "4x": (16, (128, 64)), "16x": (32, (256, 128)), "50x": (32, (768, 384))}
_BIG = _SIZES["16x"]
_DOMAINS = ("domain_0", "domain_1", "domain_2")


def main() -> None:
    """Run all, write experiments/results/exfm_simulated.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds, a third of the rows")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    seeds, rows = (2, 40_000) if arguments.quick else (arguments.seeds, 120_000)
    console, start = Console(stderr=True), time.monotonic()
    log = STUDIES / "exfm-simulated-log"
    if not (log / "log.parquet").exists():
        simulate_stream(log, rows=rows, users=4_000, items=2_000, days=14, seed=3, domains=3, drift=0.6, bias=0.8)
    run = _Runner(seeds, arguments.workers, console)
    tables = {
        "without domain": run.table("blind", without="domain", compare=RECIPES),
        "with domain": run.table("sighted", compare=RECIPES),
    }
    ages = {
        f"{days}d": run.table(f"age-{days}", age=f"{days}d", compare=("auxiliary-averaged", "auxiliary-adapter"))
        for days in (0, 2, 4)
    }
    sizes = {name: run.table(f"size-{name}", size=size, members=1) for name, size in _SIZES.items()}
    for part in (tables, ages, sizes):
        console.print(part, highlight=False)
    headline = _headline(tables, sizes)
    write_result(
        "exfm_simulated_quick" if arguments.quick else "exfm_simulated",
        settings={"rows": rows, "seeds": seeds, "drift": 0.6, "bias": 0.8, "domains": 3, "scored": "days 8 to 14"},
        figures={
            "tables": tables,
            "staleness": ages,
            "transfer": sizes,
            "minutes": (time.monotonic() - start) / 60,
        },
        headline=headline,
    )
    console.print(headline, highlight=False)


class _Runner:
    def __init__(self, seeds: int, workers: int, console: Console) -> None:
        self._seeds, self._workers, self._console = seeds, workers, console

    def table(
        self,
        name: str,
        *,
        without: str = "",
        age: str = "0s",
        size: tuple[int, Sequence[int]] = _BIG,
        members: int = 2,
        compare: Sequence[str] = (),
    ) -> dict[str, Any]:
        """A run of its own; for each student NE, gains, and the share of the gap to the truth that is closed."""
        self._console.print(name, highlight=False)
        folder = STUDIES / f"exfm-simulated-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        dim, widths = size
        deep = ", ".join(f"{{mlp: {{width: {width}}}}}" for width in widths)
        (folder / "teacher.yaml").write_text(_TEACHER.format(dim=dim, deep=deep))
        (folder / "student.yaml").write_text(_STUDENT)
        students = ["  all: {model: student.yaml, label: click}"]
        for k, domain in enumerate(_DOMAINS):
            students.append(f"  {domain}: {{model: student.yaml, label: click, where: {{domain: {k}}}}}")
        file = folder / "exfm.yaml"
        file.write_text(
            _FILE.format(
                name=name,
                members=members,
                age=age,
                without=without,
                students="\n".join(students),
                compare=", ".join(compare),
                seeds=self._seeds,
            )
        )
        problem = load_exfm(file)
        result = run_exfm(problem, workers=self._workers, console=self._console)
        bayes = _bayes(problem)
        return {
            name: {**_row(student.all, bayes[name]), "flops": student.cost.flops}
            for name, student in result.students.items()
        } | {"teacher_flops": result.teacher.cost.flops}


def _row(whole: PartFigures, bayes: float) -> dict[str, Any]:
    recipes = whole.recipes
    none = recipes[NONE].ne
    return {
        "bayes_ne": bayes,
        "none_ne": none,
        "teacher_ne": whole.teacher.ne,
        "headroom_pct": whole.teacher.headroom_pct,
        "teacher_calibration": whole.teacher.calibration,
        "gains": {name: asdict(recipe.gain) for name, recipe in recipes.items() if recipe.gain},
        "ne_by_seed": {name: recipe.ne_by_seed for name, recipe in recipes.items()},
        "gap_closed": {name: (none - recipe.ne) / (none - bayes) for name, recipe in recipes.items() if recipe.gain},
        "transfer_ratio": recipes[AUTO].transfer_ratio,
    }


def _bayes(problem: ExfmProblem) -> dict[str, float]:
    """NE of the true probabilities on each student's scored rows."""
    stream = problem.stream
    folder = problem.file.parent.parent / "exfm-simulated-log"
    truth_N = pq.read_table(folder / "truth.parquet")["p_click"].to_numpy()
    clicks_N = pq.read_table(folder / "log.parquet", columns=["click"])["click"].to_numpy()
    if not np.array_equal(clicks_N, np.asarray(stream.labels_NT[:, 0])):
        raise RuntimeError("rows of the truth must be those of the stream, in order")
    late_N = np.arange(len(truth_N)) >= stream.windows[problem.config.score_from].rows.start
    return {
        student.name: NESums.of(clicks_N[student.members_N & late_N], truth_N[student.members_N & late_N]).ne
        for student in problem.students
    }


def _headline(tables: Mapping[str, Mapping[str, Any]], sizes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Auto against plain under the biased teacher, seed by seed over the domains; gap closed; transfer by size."""
    blind = [tables["without domain"][name]["ne_by_seed"] for name in _DOMAINS]
    over_plain_S = np.mean([100 * (np.array(ne["auto"]) / np.array(ne["plain"]) - 1) for ne in blind], 0)
    ratio = {name: _transfer(part) for name, part in sizes.items()}
    return {
        "biased_gain_over_plain_pct": float(over_plain_S.mean()),
        "biased_p": float(ttest_1samp(over_plain_S, 0.0).pvalue),
        "share_of_gap_closed": float(np.mean([tables["with domain"][name]["gap_closed"]["auto"] for name in _DOMAINS])),
        **{f"tr_{name}": value for name, value in ratio.items()},
    }


def _transfer(table: Mapping[str, Any]) -> float:
    """Mean gain of the students over mean headroom of the teacher."""
    gain = np.mean([table[name]["gains"]["auto"]["pct"] for name in _DOMAINS])
    return float(gain / np.mean([table[name]["headroom_pct"] for name in _DOMAINS]))


if __name__ == "__main__":
    main()
