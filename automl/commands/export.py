"""A model of a study as one file to serve: trained as the finals train it, checked against the log, exported."""

from __future__ import annotations

import pkgutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from rich.console import Console

from automl.commands.log_encoders import log_encoders, log_past
from automl.commands.repeats import FINAL, trained_again
from automl.data.columns.numbers import as_floats
from automl.data.encode.plan import Plan
from automl.data.store.encoders import Encoders, ServedTime
from automl.data.store.log import EncodedLog
from automl.data.store.side_table import SideTable
from automl.data.store.skew import log_shares
from automl.data.tables.finder import key_kind
from automl.data.tables.sources import LOG
from automl.ranking.export import ExportError, export_model
from automl.ranking.features import read
from automl.ranking.model import Ranker, build_model
from automl.ranking.process import prepare_process
from automl.runtime.console import ProgressLine, now
from automl.runtime.errors import RunError
from automl.runtime.jobs import CURVE_POINTS, Step
from automl.study.problem import FINALS_FIT, Problem, encode, plan_of
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec

PARITY_ROWS = 4096
CHECKED_ROWS = 2048  # of the log's tables, encoded again by the encoders that are exported


def export_spec(
    problem: Problem,
    spec: ModelSpec,
    file: Path,
    about: Mapping[str, Any],
    console: Console | None = None,
) -> Mapping[str, Any]:
    """Train a model on train + validate with the first seeds of the finals, and export it; what was written of it.

    The weights are those of the finals' first repeat: what is shipped is one of the models that were tested.

    Raises:
        InputError: where the file cannot be written, or the log is not there any more.
        RunError: where the training diverged, or the file does not predict what the model predicts.
    """
    if not file.parent.is_dir():
        raise InputError.of(str(file), "must lie in a folder that exists", f"no {file.parent}")
    prepare_process()
    log = encode(problem, FINALS_FIT)
    plan = plan_of(problem)
    encoders = log_encoders(log.folder, plan)
    checked = check_encoders(encoders, plan, log)
    past = log_past(plan, encoders, log.fingerprint, log.folder.parent)
    model, seeds = train_final(problem, spec, log, console or Console(quiet=True))
    rows = _spread(log.windows["test"], PARITY_ROWS)
    shares = log_shares(log, "test", log.inputs.table_rows(spec.embedding.min_count))
    facts = {
        **about,
        "study": problem.config.name,
        "model": spec.to_tree(),
        "key": spec.key,
        "data": log.fingerprint,
        "trained_on": FINAL.train,
        "seeds": seeds,
        "encoders_checked_rows": checked,
        "features": {name: asdict(found) for name, found in shares.items()},
    }
    try:
        return export_model(
            model,
            encoders,
            file,
            facts,
            features=read(log, rows),
            tasks=(log.label,),
            negatives_kept=log.negatives_kept,
            past=past,
        )
    except ExportError as error:
        raise RunError(str(error)) from error


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


def check_encoders(encoders: Encoders, plan: Plan, log: EncodedLog) -> int:
    """Encode rows of the log's own tables again: each must be among the encoded rows of its time. How many were.

    A counter is not a column of the log, so it is left out. Without windows of days nothing is checked.

    Raises:
        RunError: where a row is not.
    """
    time = encoders.time
    if time is None or log.times_N is None or plan.config.split.random is not None:
        return 0
    past = plan.config.features.past_names
    dense = [name for name in encoders.dense if name not in past]
    known = encoders.select(encoders.fields, dense)
    at_D = [log.dense.index(name) for name in dense]
    rows = _examples(plan, time, CHECKED_ROWS)
    ids_BF, dense_BD = known.encode(rows, plan.log.name)
    times_B = time.nanoseconds(rows[time.column].combine_chunks()).to_numpy(zero_copy_only=False)
    first_B = np.searchsorted(log.times_N, times_B, "left")
    last_B = np.searchsorted(log.times_N, times_B, "right")
    for b, (first, last) in enumerate(zip(first_B.tolist(), last_B.tolist(), strict=True)):
        same = (log.ids_NF[first:last] == ids_BF[b]).all(1) & (log.dense_ND[first:last, at_D] == dense_BD[b]).all(1)
        if not same.any():
            raise RunError(
                f"the encoders must give what the model was trained on, but row {b} of {plan.log.name} does not"
            )
    return len(ids_BF)


def _examples(plan: Plan, time: ServedTime, count: int) -> pa.Table:
    """The first rows of the log that lie in a window and are examples, with the columns of its side tables."""
    needed = [source.column for source in plan.features]
    sides = [
        SideTable(join.on, plan.sides[k].read(plan.side_columns(k)), side.name, key_kind(plan.log, side, join.on))
        for k, (join, side) in enumerate(zip(plan.config.join, plan.sides, strict=True))
    ]
    ours = [source.column for source in plan.features if source.table == LOG]
    given = plan.config.label.given
    columns = dict.fromkeys([*ours, time.column, *(side.key for side in sides), *([given] if given else [])])
    found: list[pa.Table] = []
    for batch in plan.log.batches(tuple(columns)):
        times = time.nanoseconds(batch.column(time.column)).to_numpy(zero_copy_only=False)
        keep: NDArray[np.bool_] = plan.split.window(times, np.zeros(len(times))) >= 0
        if given is not None:
            keep &= as_floats(batch.column(given)) == 1
        found.append(pa.Table.from_batches([batch]).filter(pa.array(keep)))
        if sum(table.num_rows for table in found) >= count:
            break
    rows = pa.concat_tables(found).slice(0, count)
    for side in sides:
        rows = side.join(rows, needed, plan.log.name)
    return rows


def _spread(window: slice, count: int) -> NDArray[np.int64]:
    """At most `count` rows, evenly over a window."""
    rows = np.linspace(window.start, window.stop - 1, min(count, window.stop - window.start))
    return np.unique(rows.astype(np.int64))
