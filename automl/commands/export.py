"""A model of a study as one file to serve: trained as the finals train it, checked against the log, exported."""

from __future__ import annotations

import pkgutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from automl.commands.checked_encoders import check_encoders, check_past
from automl.commands.log_encoders import log_encoders, log_pasts
from automl.commands.recorded_rows import CHECKED_ROWS
from automl.commands.repeats import FINAL, trained_again
from automl.data.encode.plan import Plan
from automl.data.past.past import Past
from automl.data.store.encoders import Encoders
from automl.data.store.log import EncodedLog
from automl.data.store.skew import log_shares
from automl.files.whole import need_folder
from automl.ranking.export import ExportError, Proof, export_model
from automl.ranking.features import read
from automl.ranking.model import Ranker, build_model
from automl.ranking.narrow import Numbers
from automl.ranking.narrowing import Judged
from automl.ranking.process import prepare_process
from automl.ranking.scoring import logits_of, probabilities_of
from automl.runtime.console import ProgressLine, now
from automl.runtime.errors import RunError
from automl.runtime.jobs import CURVE_POINTS, Step
from automl.runtime.rate_line import RateLine, says
from automl.study.problem import FINALS_FIT, Problem, encode, plan_of
from search_spaces.model import ModelSpec

PARITY_ROWS = 4096
JUDGED_ROWS = 1 << 16


def export_spec(
    problem: Problem,
    spec: ModelSpec,
    file: Path,
    about: Mapping[str, Any],
    console: Console | None = None,
    numbers: Numbers = "fp32",
) -> Mapping[str, Any]:
    """Train a model on train + validate with the first seeds of the finals, and export it; what was written of it. Its
    wide products are served in `numbers`.

    The weights are those of the finals' first repeat: what is shipped is one of the models that were tested.

    Raises:
        InputError: where the file cannot be written, or the log is not there any more.
        RunError: where the training diverged, or the file does not predict what the model predicts, or not as well.
    """
    need_folder(file)
    prepare_process()
    with RateLine(lambda: console) as passed:
        log = encode(problem, FINALS_FIT, passed, says(console))
    plan = plan_of(problem)
    encoders = _read_by(spec, log_encoders(log.folder, plan), log)
    checked = check_encoders(encoders, plan, log)
    evening, past = _pasts(encoders, plan, log)
    past_checked = checked if evening is None else check_past(evening, encoders, plan, log)
    model, seeds = train_final(problem, spec, log, console or Console(quiet=True))
    rows = _spread(log.windows["test"], PARITY_ROWS)
    table_rows, read_names = log.inputs.table_rows(spec.embedding.min_count), spec.read_of(log.inputs).names
    shares = log_shares(log, "test", table_rows, read_names)
    facts = {
        **about,
        "study": problem.config.name,
        "model": spec.to_tree(),
        "key": spec.key,
        "data": log.fingerprint,
        "study_data": problem.log.fingerprint,
        "baseline": problem.baseline.key,
        "trained_on": FINAL.train,
        "seeds": seeds,
        "encoders_checked_rows": len(checked),
        "past_checked_rows": 0 if evening is None else len(past_checked),
        "features": {name: asdict(found) for name, found in shares.items()},
    }
    try:
        return export_model(
            model,
            encoders,
            file,
            facts,
            features=read(log, rows),
            tasks=log.tasks,
            negatives_kept=log.negatives_kept,
            past=past,
            proof=Proof(past_checked.rows, probabilities_of(_logits(model, log, past_checked.rows_B))),
            numbers=numbers,
            judged=None if numbers == "fp32" else _judged(log),
        )
    except ExportError as error:
        raise RunError(str(error)) from error


def _read_by(spec: ModelSpec, encoders: Encoders, log: EncodedLog) -> Encoders:
    """Those of the features that a model reads: when served, no others are asked for."""
    places = log.inputs.places(spec.without)
    lists = () if spec.history is None else [log.histories[k].name for k in places.histories]
    return encoders.select([log.fields[k] for k in places.ids], [log.dense[k] for k in places.dense], lists)


def _logits(model: Ranker, log: EncodedLog, rows: NDArray[np.int64]) -> torch.Tensor:
    return logits_of(model.eval(), read(log, rows).parts())


def _pasts(encoders: Encoders, plan: Plan, log: EncodedLog) -> tuple[Past | None, Past | None]:
    """What the log has left behind before its last rows, to be checked by them, and at its end."""
    cut = None if log.times_N is None else int(log.times_N[max(0, len(log) - CHECKED_ROWS)])
    pasts = log_pasts(plan, encoders, log.fingerprint, log.folder.parent, (cut, None))
    return (pasts[0], pasts[1]) if pasts else (None, None)


def train_final(
    problem: Problem, spec: ModelSpec, log: EncodedLog, console: Console
) -> tuple[Ranker, Mapping[str, int]]:
    """The model of the finals' first repeat, and its seeds.

    Raises:
        RunError: where its training failed.
    """
    asked = trained_again(problem, log, spec)
    told = Step(share=0.0)
    progress = ProgressLine(console, lambda: (round(CURVE_POINTS * told.share), CURVE_POINTS, "training"), now)
    with tempfile.TemporaryDirectory() as folder, progress:
        weights = Path(folder) / "weights.pt"
        asked = replace(asked, stops=tuple(k / CURVE_POINTS for k in range(1, CURVE_POINTS)), weights=str(weights))
        for step in pkgutil.resolve_name(asked.work)(asked):
            told = step
            progress.update()
        if told.failure is not None:
            raise RunError(f"the training failed: {told.failure.kind}: {told.failure.reason}")
        model = build_model(spec, log.inputs, seed=0)
        model.load_state_dict(torch.load(weights, weights_only=True))
    return model, {"weights": asked.weights_seed, "order": asked.order_seed, "repeat": FINAL.first_order}


def _judged(log: EncodedLog) -> Judged:
    """Rows of the windows that the model is trained on, and of the test window."""
    learned = np.concatenate([_spread(log.windows[name], PARITY_ROWS) for name in FINALS_FIT])
    rows = _spread(log.windows["test"], JUDGED_ROWS)
    labels = log.labels_N if log.labels_NT is None else log.labels_NT
    return Judged(read(log, learned), read(log, rows), labels[rows].reshape(len(rows), -1), log.weights_N[rows])


def _spread(window: slice, count: int) -> NDArray[np.int64]:
    """At most `count` rows, evenly over a window."""
    rows = np.linspace(window.start, window.stop - 1, min(count, window.stop - window.start))
    return np.unique(rows.astype(np.int64))
