"""A table of trained candidates: what was trained, what it gave. N candidates, D decisions, O orders, P points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from experiments import json_lines
from experiments.search_benchmark.logs import problem_of
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate, SearchSpace

Floats = NDArray[np.float64]
Line = Mapping[str, Any]
ROOT = Path(__file__).parents[2]
TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Table:
    """Candidates that were trained to their end on order 0; gains are against the baseline on the same order."""

    space: SearchSpace
    baseline: ModelSpec
    baseline_ne_O: Floats
    candidates: tuple[Candidate, ...]
    sources: tuple[str, ...]
    answers_ND: Floats
    gain_NO: Floats  # percent; NaN where it was not trained on an order
    gain_NP: Floats  # percent of the baseline's end, at ten points of order 0
    calibrated_NP: Floats  # the same of NE at the best bias
    window_ne_NP: Floats  # progressive NE, twenty points
    log2_ratio_N: Floats
    seconds_N: Floats  # of a core, trained and scored once
    failed: tuple[Candidate, ...]
    digest: str  # of all trainings: a replay is of one table

    def __len__(self) -> int:
        return len(self.candidates)


def lines_of(log: str) -> Path:
    """Where the trainings stand while a table is built."""
    return ROOT / ".cache" / "search_benchmark" / f"{log}.jsonl"


def waves_of(log: str) -> Path:
    """What the searches of a table proposed: a line a wave, models by search."""
    return lines_of(log).with_suffix(".waves.jsonl")


def packed(log: str) -> Path:
    """Where a table stands that is built."""
    return TABLES / f"{log}.parquet"


def read_lines(file: Path) -> dict[tuple[str, int], Line]:
    """Trainings by key and order."""
    return {(line["key"], line["order"]): line for line in json_lines.read(file)}


def pack(log: str) -> Path:
    """Lines and waves as one Parquet file, from which `unpack` makes them again."""
    TABLES.mkdir(exist_ok=True)
    lines = read_lines(lines_of(log))
    rows = [
        {**line, "model": json.dumps(line["model"]), "seconds": json.dumps(line["seconds"])} for line in lines.values()
    ]
    told = json_lines.read(waves_of(log))
    keys = [{name: [ModelSpec.from_tree(tree).key for tree in of] for name, of in wave.items()} for wave in told]
    trained = {key for key, _ in lines}
    whole = [wave for wave in keys if trained.issuperset(key for of in wave.values() for key in of)]
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"waves": json.dumps(whole)})
    pq.write_table(table, packed(log), compression="zstd")
    return packed(log)


def unpack(log: str) -> None:
    """Lines and waves of a packed table, to go on with it elsewhere; what is there stays."""
    if lines_of(log).exists() or not packed(log).exists():
        return
    table = pq.read_table(packed(log))
    lines = _decoded(table)
    lines_of(log).parent.mkdir(parents=True, exist_ok=True)
    lines_of(log).write_text("".join(json.dumps(line) + "\n" for line in lines.values()))
    trees = {key: line["model"] for (key, _), line in lines.items()}
    waves = json.loads(table.schema.metadata[b"waves"])
    waves_of(log).write_text(
        "".join(json.dumps({name: [trees[key] for key in of] for name, of in wave.items()}) + "\n" for wave in waves)
    )


def _decoded(table: pa.Table) -> dict[tuple[str, int], Line]:
    rows = (
        {**row, "model": json.loads(row["model"]), "seconds": json.loads(row["seconds"])} for row in table.to_pylist()
    )
    return {(row["key"], row["order"]): row for row in rows}


def read_table(log: str) -> Table:
    """The table of a log: what is trained so far where it is being built, else the packed one.

    Raises:
        InputError: where the log is not there, of which the space asks what it is like.
    """
    building = lines_of(log).exists()
    lines = read_lines(lines_of(log)) if building else _decoded(pq.read_table(packed(log)))
    problem = problem_of(log)
    return table_of(problem.space, problem.baseline, lines)


def table_of(space: SearchSpace, baseline: ModelSpec, lines: Mapping[tuple[str, int], Line]) -> Table:
    """The trainings as arrays; the baseline is the first candidate where it lies inside the space."""
    own = sorted((order, line["ne"][-1]) for (key, order), line in lines.items() if key == baseline.key)
    base_O = np.array([ne for _, ne in own])
    first = [line for (key, order), line in lines.items() if order == 0]
    located = [(line, space.locate(ModelSpec.from_tree(line["model"]))) for line in first]
    inside = [(line, candidate) for line, candidate in located if candidate is not None]
    good = [(line, candidate) for line, candidate in inside if line["failure"] is None]
    orders = range(len(base_O))
    gain_NO = np.array([
        [_gain(lines.get((line["key"], order)), base_O[order]) for order in orders] for line, _ in good
    ])  # fmt: skip
    return Table(
        space=space,
        baseline=baseline,
        baseline_ne_O=base_O,
        candidates=tuple(candidate for _, candidate in good),
        sources=tuple(line["source"] for line, _ in good),
        answers_ND=np.array([space.answers(candidate) for _, candidate in good]),
        gain_NO=gain_NO,
        gain_NP=np.array([100 * (np.array(line["ne"]) / base_O[0] - 1) for line, _ in good]),
        calibrated_NP=np.array([100 * (np.array(line["ne_calibrated"]) / base_O[0] - 1) for line, _ in good]),
        window_ne_NP=np.array([line["window_ne"] for line, _ in good]),
        log2_ratio_N=np.log2([line["qps_ratio"] for line, _ in good]),
        seconds_N=np.array([line["seconds"]["train"] for line, _ in good]),
        failed=tuple(candidate for line, candidate in inside if line["failure"] is not None),
        digest=digest_of(lines),
    )


def digest_of(lines: Mapping[tuple[str, int], Line]) -> str:
    """Of models, orders and what they came to."""
    told = sorted((key, order, line["ne"][-1:]) for (key, order), line in lines.items())
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _gain(line: Line | None, base: float) -> float:
    return np.nan if line is None or line["failure"] is not None else 100 * (line["ne"][-1] / base - 1)
