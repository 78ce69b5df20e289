"""Click and conversion by one model against two models of one label, at equal FLOPs: what one row costs both together.

    python -m experiments.tasks [--log kuairand|completejourney] [--quick]

KuaiRand-Pure: is_click, and long_view given is_click; the two single models are the tuned baselines. The Complete
Journey: whether a product is bought again within four weeks, and if so within one; both single models have the rates
that were tuned for the first. Each joint model is widened until one more step would cost more than the pair. Which of
them goes to the test is decided on the validation window (two orders: the one whose worse gain is best); there it meets
the pair on five orders, trained on train + validate. Goes on where it stopped: predictions that are there are not made
again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl.commands.repeats import kept_in, scored_window
from automl.data.store.log import EncodedLog
from automl.files.sealed import read_sealed
from automl.runtime.jobs import TrainModel
from automl.runtime.work import train_and_score
from automl.stats.compared import ScoredRows
from automl.stats.seeds import trial_seeds
from automl.study.problem import FINALS_FIT, Problem, encode, load_problem
from experiments import completejourney, kuairand
from experiments.kuairand import CTR, CVR, TUNED, TUNED_CVR
from experiments.record import write_result
from experiments.studies import STUDIES
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
CHOICE_ORDERS, ORDERS = 2, 5
STEPS = 16  # in which a model is widened from one baseline's width on
WEIGHTS = (1.0, 1.5, 2.5)  # of the conversion's loss; 2.5 are rows over clicks, as if the mean were over clicks alone


@dataclass(frozen=True, slots=True)
class Log:
    """Two labels of a log, and what writes a study over it."""

    result: str
    labels: Mapping[str, Any]
    rates: Mapping[str, Mapping[str, float]]
    write: Callable[..., Path]


LOGS: Mapping[str, Log] = {
    "kuairand": Log("tasks", {"ctr": CTR, "cvr": CVR}, {"ctr": TUNED, "cvr": TUNED_CVR}, kuairand.write_study),
    "completejourney": Log(
        "tasks_completejourney",
        {"again": completejourney.LABEL, "soon": completejourney.SOON},
        {"again": completejourney.TUNED, "soon": completejourney.TUNED},
        completejourney.write_study,
    ),
}


def _shared(k: float, weight: float, *, esmm: bool = False) -> dict[str, Any]:
    return {"deep": _tower(256 * k, 128 * k), "tasks": {"weight": weight, "esmm": esmm}}


def _mixed(sharing: str, k: float, weight: float) -> dict[str, Any]:
    experts = {"experts": 4} if sharing == "mmoe" else {"experts": 2, "task_experts": 1}
    tasks = {"sharing": sharing, **experts, "width": round(64 * k), "tower_layers": 1, "tower_width": 64}
    return {"deep": _tower(256 * k), "tasks": {"weight": weight, **tasks}}


def _gated(k: float, weight: float) -> dict[str, Any]:
    """PEPNet: gates over the embeddings, under the baseline's crosses, and over the labels' towers."""
    crosses = [{"cross": {"rank": 32}}] * 2
    tasks = {"tower_layers": 2, "tower_width": round(64 * k), "gate_hidden": 32}
    return {
        "interaction": [{"lhuc": {"hidden": 32}}, *crosses],
        "deep": _tower(256 * k),
        "tasks": {"weight": weight, **tasks},
    }


def _tower(*widths: float) -> list[dict[str, Any]]:
    return [{"mlp": {"width": round(width), "dropout": 0.1}} for width in widths]


JOINT: Mapping[str, Callable[[float, float], dict[str, Any]]] = {
    "shared": _shared,
    "mmoe": partial(_mixed, "mmoe"),
    "ple": partial(_mixed, "ple"),
    "esmm": partial(_shared, esmm=True),
    "pepnet": _gated,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Windows that are trained on and the one that is scored, of logs whose encoders fit the first."""

    name: str
    train: tuple[str, ...]
    score: str


CHOICE, TEST = Stage("choice", ("train",), "validate"), Stage("test", FINALS_FIT, "test")


def main() -> None:
    """Choose on validation, test on the test window; the result is written at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), default="kuairand")
    parser.add_argument("--quick", action="store_true", help="two joint models, one order, then two")
    asked = parser.parse_args()
    quick, log = asked.quick, LOGS[asked.log]
    torch.set_num_threads(1)
    alone = {
        task: load_problem(log.write(f"tasks-{task}", label=label, baseline=log.rates[task]))
        for task, label in log.labels.items()
    }
    both = load_problem(log.write(f"tasks-both-{asked.log}", labels=_columns(log.labels)))
    pair = sum(problem.baseline.cost(problem.log.inputs).flops for problem in alone.values())
    joint = {
        f"{name}, weight {weight:g}": widened(both, partial(tree, weight=weight), pair)
        for name, tree in list(JOINT.items())[: 2 if quick else None]
        for weight in WEIGHTS[: 1 if quick else None]
    }
    seen = {name: compared(CHOICE, alone, both, spec, 1 if quick else CHOICE_ORDERS) for name, spec in joint.items()}
    best = min(seen, key=lambda name: max(fmean(gains) for gains in seen[name].gains_pct.values()))
    found = compared(TEST, alone, both, joint[best], 2 if quick else ORDERS)
    write_result(
        log.result,
        settings={"labels": log.labels, "choice_orders": CHOICE_ORDERS, "orders": ORDERS, "weights": WEIGHTS},
        figures={
            "pair_flops": pair,
            "models": {
                name: {"flops": spec.cost(both.log.inputs).flops, "model": spec.to_tree()}
                for name, spec in joint.items()
            },
            "choice": {name: asdict(one) for name, one in seen.items()},
            "chosen": best,
            "test": asdict(found),
        },
        headline={f"{task}_pct": fmean(gains) for task, gains in found.gains_pct.items()},
    )
    print(best, found)


def _columns(labels: Mapping[str, Any]) -> dict[str, Any]:
    """As a study of several labels has them."""
    return {task: label if isinstance(label, str) else dict(label) for task, label in labels.items()}


def widened(problem: Problem, tree: Callable[[float], dict[str, Any]], flops: int) -> ModelSpec:
    """The widest of a family that costs no more than the pair. The baseline's own rates."""
    base, fits = problem.baseline.to_tree(), []
    for step in range(STEPS * 4):
        spec = ModelSpec.from_tree({**base, **tree(0.5 + step / STEPS)})
        if spec.cost(problem.log.inputs).flops <= flops:
            fits.append(spec)
    return fits[-1]


@dataclass(frozen=True, slots=True)
class Compared:
    """Gains by label, order by order, in percent of the single model's NE; over all orders with interval and p."""

    ne: Mapping[str, float]  # of the single models, mean over the orders
    gains_pct: Mapping[str, list[float]]
    interval_pct: Mapping[str, tuple[float, float]]
    p: Mapping[str, float]


def compared(stage: Stage, alone: Mapping[str, Problem], both: Problem, spec: ModelSpec, orders: int) -> Compared:
    """The joint model against the two, label by label, on the same rows and orders."""
    log = _log(stage, both)
    joint_SNT = np.stack([predictions(stage, log, spec, order) for order in range(orders)])
    ne, gains, interval, p = {}, {}, {}, {}
    for k, (task, problem) in enumerate(alone.items()):
        own = _log(stage, problem)
        rows = scored_window(own, stage.score)
        labels_N = log.about(task).labels_N[log.windows[stage.score]]
        known_N = ~np.isnan(labels_N)
        assert np.array_equal(labels_N[known_N], rows.labels_N), "both logs must hold the same rows in one order"
        base_SN = np.stack([predictions(stage, own, problem.baseline, order) for order in range(orders)])
        of_SN = joint_SNT[:, known_N, k]
        base_S, of_S = rows.ne(base_SN), rows.ne(of_SN)
        ne[task], gains[task] = float(base_S.mean()), (100 * (of_S / base_S - 1)).tolist()
        interval[task], p[task] = _told(rows, base_SN, of_SN)
    print(stage.name, spec.key, {task: f"{fmean(of):+.3f}%" for task, of in gains.items()}, flush=True)
    return Compared(ne, gains, interval, p)


def _told(rows: ScoredRows, base_SN: Floats, of_SN: Floats) -> tuple[tuple[float, float], float]:
    if len(base_SN) < 2:
        return (float("nan"), float("nan")), float("nan")
    (gain,) = rows.gains(base_SN, [of_SN])
    return (gain.low_pct, gain.high_pct), gain.p


def _log(stage: Stage, problem: Problem) -> EncodedLog:
    return problem.log if stage is CHOICE else encode(problem, FINALS_FIT)


def predictions(stage: Stage, log: EncodedLog, spec: ModelSpec, order: int) -> Floats:
    """Of the scored window; trained where they are not there."""
    file = STUDIES / "tasks" / stage.name / f"{log.fingerprint}-{spec.key}-{order}.npy"
    file.parent.mkdir(parents=True, exist_ok=True)
    seeds = trial_seeds(0, order)
    asked = TrainModel(
        model=spec.to_tree(),
        log=str(log.folder),
        train=stage.train,
        score=stage.score,
        weights_seed=seeds["weights"],
        order_seed=seeds["order"],
    )
    asked = kept_in(asked, file)
    if not file.exists():
        last = list(train_and_score(asked))[-1]
        assert last.failure is None, last.failure
        print(stage.name, spec.key, order, f"{last.cpu_seconds:.0f} CPU s", flush=True)
    found = read_sealed(file, asked.predictions_name)
    assert found is not None, file
    return found


if __name__ == "__main__":
    main()
