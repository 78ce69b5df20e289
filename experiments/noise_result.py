"""The result of noise.py, from the trainings that are there: experiments/results/noise.json and a few lines to read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.data.columns.times import edges_of
from automl.data.store.log import EncodedLog
from experiments.noise_figures import (
    BEFORE,
    MEASURES,
    Measure,
    Table,
    better_half,
    by_day,
    control_variate,
    curve_taus,
    detectable_pct,
    examples_pct,
    measures_table,
    paired_std_pct,
    parts,
    pooled_variance,
    scored_luck,
    tau,
)
from experiments.noise_train import WEIGHTS, Store

SHIPPED: Measure = ("mean10", "ne_refit")  # what the trainer's defaults ship


def figures_of(log: EncodedLog, store: Store, timezone: str) -> dict[str, Any]:
    """All tables of one log; a group that was not trained is left out."""
    found, out = store.found, {}
    own = Table.of(found, "own")
    out["configs"], out["orders"] = list(own.configs), len(own.orders)
    out["failed"] = sorted({f"{line['group']} {line['config']}" for line in found.values() if "failed" in line})
    out["measures"] = measures_table(own, SHIPPED)
    out["by_config"] = {
        config: {"ne": ne, "std_before": before, "std_after": after}
        for config, ne, before, after in zip(
            own.configs,
            own.values_CO(SHIPPED).mean(axis=1).tolist(),
            own.values_CO(BEFORE).std(axis=1, ddof=1).tolist(),
            own.values_CO(SHIPPED).std(axis=1, ddof=1).tolist(),
            strict=True,
        )
    }
    out["curve_taus"] = curve_taus(own, SHIPPED)
    out["parts_pct"] = {" ".join(measure): parts(found, measure) for measure in (BEFORE, SHIPPED)}
    out["common_random_numbers"] = _shared_seeds(found)
    out["control_variate"] = {" ".join(measure): _control(found, own, measure) for measure in (BEFORE, SHIPPED)}
    out["changed_rates"] = _changed(found)
    out["scored_luck"] = _luck(log, store)
    out.update(_examples(log, store, own, timezone))
    return out


def headline_of(figures: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The few numbers that matter, of the weights that the trainer ships."""
    own = Table.of(found, "own")
    before, after = own.values_CO(BEFORE), own.values_CO(SHIPPED)
    best = better_half(after)
    paired, examples = paired_std_pct(after), float(np.median(list(figures["examples_std_pct"].values())))
    return {
        "pooled_variance_ratio": round(pooled_variance(after) / pooled_variance(before), 3),
        "tau_before": round(tau(before[best]), 2),
        "tau_after": round(tau(after[best]), 2),
        "paired_std_pct": round(paired, 3),
        "paired_std_pct_before": round(paired_std_pct(before), 3),
        "detectable_pct_5_seeds": round(detectable_pct(paired, examples, 5), 3),
        "detectable_pct_5_seeds_before": round(detectable_pct(paired_std_pct(before), examples, 5), 3),
    }


def _shared_seeds(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Paired spreads and taus by where initial weights come from, over the same models and orders."""
    groups = [name for name in ("own", "shared") if any(line["group"] == name for line in found.values())]
    if len(groups) < 2:
        return []
    tables = [Table.of(found, group) for group in groups]
    common = [c for c in tables[0].configs if all(c in table.configs for table in tables)]
    rows = []
    for group in groups:
        table = Table.of(found, group, common)
        for measure in (BEFORE, ("mean10", "ne"), SHIPPED):
            values = table.values_CO(measure)
            rows.append(
                {
                    "draws": group,
                    "measure": " ".join(measure),
                    "configs": len(common),
                    "orders": len(table.orders),
                    "paired_std_pct": paired_std_pct(values),
                    "pooled_std": math.sqrt(pooled_variance(values)),
                    "tau": tau(values),
                }
            )
    return rows


def _control(found: Mapping[str, Mapping[str, Any]], own: Table, measure: Measure) -> dict[str, Any]:
    weights, figure = measure
    lines = [line for line in found.values() if line["group"] in ("own", "more") and line["config"] == "baseline"]
    return control_variate(own.values_CO(measure), np.array([line["scores"][weights][figure] for line in lines]))


def _changed(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What other rates do to the baseline: by measure, mean NE and its spread over orders in percent."""
    groups = {"baseline": "own"} | {line["config"]: "changed" for line in found.values() if line["group"] == "changed"}
    out: dict[str, dict[str, Any]] = {}
    for config, group in groups.items() if len(groups) > 1 else ():
        lines = [line for line in found.values() if (line["config"], line["group"]) == (config, group)]
        scores = [line["scores"] for line in lines if "scores" in line]
        if len(scores) < 2:
            continue
        out[config] = {
            "orders": len(scores),
            "calibration_std": _spread([each["last"]["calibration"] for each in scores]),
        }
        for weights, figure in MEASURES:
            ne = [each[weights][figure] for each in scores]
            out[config][f"{weights} {figure}"] = {
                "mean": float(np.mean(ne)),
                "std_pct": 100 * _spread(ne) / float(np.mean(ne)),
            }
    return out


def _spread(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1))


def _luck(log: EncodedLog, store: Store) -> dict[str, dict[str, float]]:
    """Of every weights, for the models with most orders."""
    window, out = log.windows["validate"], {}
    for config in ("baseline", "small"):
        groups = ("own", "more")
        lines = [line for line in store.found.values() if line["config"] == config and line["group"] in groups]
        logits_OMN = np.array([store.logits_MN(line["name"]) for line in lines if "scores" in line], np.float64)
        for place, weights in enumerate(WEIGHTS):
            bias_O = np.array([line["scores"][weights]["bias"] for line in lines if "scores" in line])
            refitted_ON = logits_OMN[:, place] + bias_O[:, None]
            out[f"{config} {weights}"] = scored_luck(
                refitted_ON, log.labels_N[window].astype(np.float64), log.clusters_N[window]
            )
    return out


def _examples(log: EncodedLog, store: Store, own: Table, timezone: str) -> dict[str, Any]:
    """Bootstrap by user, and each day alone, of what is shipped."""
    window, place = log.windows["validate"], WEIGHTS.index(SHIPPED[0])
    logits_CON = np.array(
        [
            [store.logits_MN(line["name"])[place] + line["scores"][SHIPPED[0]]["bias"] for line in row]
            for row in own.lines
        ]
    )
    labels_N, clusters_N = log.labels_N[window].astype(np.float64), log.clusters_N[window]
    assert log.times_N is not None
    times_N = log.times_N[window]
    edges = edges_of(int(times_N[0]), int(times_N[-1]), 86_400, timezone)[:-1]
    days_N = np.searchsorted(edges, times_N, side="right")
    std = examples_pct(logits_CON, labels_N, clusters_N)
    return {
        "examples_std_pct": dict(zip(own.configs[1:], std, strict=True)),
        "days": by_day(logits_CON, labels_N, days_N),
    }
