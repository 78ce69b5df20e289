"""Tune the human baseline on KuaiRand before any search: a grid of 15 runs over its two learning rates and batch size.

python -m experiments.kuairand_baseline [--label ctr|cvr] [--quick]
"""

from __future__ import annotations

import argparse
from itertools import product

import torch

from automl.runtime.jobs import TrainModel
from automl.runtime.work import train_and_score
from automl.stats.seeds import seed_of
from automl.study.problem import load_problem
from experiments.kuairand import BASELINE, CTR, CVR, write_study
from experiments.record import write_result
from search_spaces.source import read_text
from search_spaces.space import model_of

RATES = ((0.02, 1e-3), (0.05, 5e-4), (0.05, 1e-3), (0.05, 2e-3), (0.1, 1e-3))
BATCHES = (256, 512, 1024)


def main() -> None:
    """Run the grid, print it best first, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", choices=["ctr", "cvr"], default="ctr")
    parser.add_argument("--quick", action="store_true", help="three runs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    problem = load_problem(write_study(f"grid-{arguments.label}", label=CTR if arguments.label == "ctr" else CVR))
    runs = []
    for batch, (embedding_lr, dense_lr) in list(product(BATCHES, RATES))[: 3 if arguments.quick else None]:
        knobs = {"embedding_lr": embedding_lr, "dense_lr": dense_lr, "batch_size": batch}
        model = model_of(read_text(BASELINE.format(**knobs), "grid"))
        asked = TrainModel(
            model=model.to_tree(),
            log=str(problem.log.folder),
            order_seed=0,
            weights_seed=seed_of("grid", model.key),
        )
        measured = list(train_and_score(asked))[-1].measurement
        assert measured is not None
        runs.append({**knobs, "ne": measured.ne, "auc": measured.auc, "train_s": measured.seconds["train"]})
        print(
            f"batch {batch:>5}  embedding lr {embedding_lr:<5}  dense lr {dense_lr:<6}  NE {measured.ne:.5f}  "
            f"{measured.seconds['train']:.1f} s",
            flush=True,
        )
    runs.sort(key=lambda run: run["ne"])
    write_result(
        f"kuairand_baseline_{arguments.label}",
        settings={"quick": arguments.quick},
        figures={"runs": runs},
        headline={f"best_{name}": runs[0][name] for name in ("ne", "embedding_lr", "dense_lr", "batch_size")},
    )
    print("best:", runs[0])


if __name__ == "__main__":
    main()
