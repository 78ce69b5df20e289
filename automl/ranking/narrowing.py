"""What a model costs in NE where its wide products are computed in fewer bits: asked before such a file is written.

N rows, T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.ranking.export_errors import ExportError
from automl.ranking.features import Features
from automl.ranking.served import Served
from automl.stats.compared import ScoredRows

WORSE_PCT = 0.02  # of NE: a fifth of the smallest gain that is worth shipping is not given away
ERRORS = 2.0  # standard errors: what cannot be told from that is not held against it


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows that the model has learned, which tell what its products read, and others, which tell what fewer bits cost:
    labels_NT of each task, NaN where it is not defined."""

    learned: Features
    features: Features
    labels_NT: NDArray[np.float32]
    weights_N: NDArray[np.float32]


def judge(exact: Served, narrow: Served, rows: Judged) -> dict[str, Any]:
    """How much higher the NE of each task is, in percent with its standard error, and how far probabilities are off.

    Raises:
        ExportError: where the NE of a task is higher by more than WORSE_PCT, beyond chance.
    """
    ours_NT, theirs_NT = (_learned(served, rows.features) for served in (narrow, exact))
    kept = exact.facts["negatives_kept"]
    changes: dict[str, dict[str, float]] = {}
    for task, name in enumerate(exact.tasks):
        known_N = ~np.isnan(rows.labels_NT[:, task])
        labels_N, weights_N = rows.labels_NT[known_N, task], rows.weights_N[known_N]
        alone_N = np.zeros(len(labels_N), np.int32)
        scored = ScoredRows(labels_N.astype(np.float64), weights_N.astype(np.float64), alone_N, kept)
        pct, error_pct = scored.change_pct(theirs_NT[known_N, task], ours_NT[known_N, task])
        changes[name] = {"pct": pct, "error_pct": error_pct}
        if not pct - ERRORS * error_pct <= WORSE_PCT:
            must = f"what serves in fewer bits must cost at most {WORSE_PCT}% of NE"
            raise ExportError(f"{must}, but NE of {name} is {pct:.3f}% higher: export it without --numbers")
    return {
        "rows": len(rows.features),
        "ne_change": changes,
        "max_probability_difference": float(np.abs(ours_NT - theirs_NT).max()),
    }


def words(told: Mapping[str, Any]) -> str:
    """What was judged, in a line."""
    changes: Mapping[str, Mapping[str, float]] = told["ne_change"]
    of_tasks = [
        f"NE {change['pct']:+.4f}% ± {change['error_pct']:.4f}%" + (f" of {task}" if len(changes) > 1 else "")
        for task, change in changes.items()
    ]
    return f"{', '.join(of_tasks)} against fp32 on {told['rows']:,} rows of the test window"


def _learned(served: Served, features: Features) -> NDArray[np.float64]:
    return served.learned(features).reshape(len(features), -1)
