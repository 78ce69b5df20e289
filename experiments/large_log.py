"""A long and wide log: what the click simulator writes, with more columns beside it, file by file. It is kept nowhere.

Every file is drawn from a seed of its own and whole or not there, so that making the log goes on where it was stopped.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from automl.data.describe.tables import DataConfig
from automl.data.simulated.log import simulate
from automl.files.whole import whole_file

TIME, LABEL, OWN = "time_ms", "click", ("user_id", "item_id", "tab")
DAYS, SEED = 14, 12
_DENSE_SHARE = 0.3  # of the columns that are added
_LEAST, _MOST = 10, 2_000_000  # values of an id column: the columns lie between, each a little larger
_TEXT_EVERY = 3  # every third id column is text
_MISSING, _FOLLOWS = 13, 205  # of 256 rows: those without a value, those whose id goes with the item
_GROUP = 1 << 17  # rows of a row group


def simulated(folder: Path, rows: int) -> Path:
    """The simulator's log of so many rows, in a folder of its own."""
    out = folder / "narrow"
    if not (out / "truth.json").exists():
        for left in out.glob("*"):
            left.unlink()
        simulate(out, rows=rows, users=max(1000, rows // 50), items=max(500, rows // 400), days=DAYS, seed=SEED)
    return out / "log.parquet"


def widened(narrow: Path, folder: Path, rows: int, files: int, columns: int) -> Path:
    """The log as `files` files of that many columns, the time and the label among them."""
    out = folder / "log"
    out.mkdir(exist_ok=True)
    bounds = np.linspace(0, rows, files + 1).astype(int)
    source = pq.ParquetFile(narrow)
    held = source.iter_batches(_GROUP, columns=[*OWN, TIME, LABEL])
    left = pa.table({})
    for k, (start, stop) in enumerate(pairwise(bounds.tolist())):
        parts, count = ([left], left.num_rows) if left.num_rows else ([], 0)
        while count < stop - start:
            part = pa.Table.from_batches([next(held)])
            parts, count = [*parts, part], count + part.num_rows
        whole = pa.concat_tables(parts)
        here, left = whole.slice(0, stop - start), whole.slice(stop - start)
        path = out / f"part-{k:04d}.parquet"
        if not path.exists():
            with whole_file(path) as beside:
                _write(beside, here, np.random.default_rng([SEED, k]), columns)
    return out


def _write(path: Path, narrow: pa.Table, rng: np.random.Generator, columns: int) -> None:
    ids, dense = added(columns)
    schema = pa.schema(
        [
            *narrow.schema,
            *(pa.field(name, pa.string() if _is_text(k) else pa.int64()) for k, name in enumerate(ids)),
            *(pa.field(name, pa.float32()) for name in dense),
        ]
    )
    sizes = np.geomspace(_LEAST, _MOST, len(ids)).astype(np.int64)
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, narrow.num_rows, _GROUP):
            here = narrow.slice(start, _GROUP).combine_chunks()
            count = here.num_rows
            own = here["item_id"].to_numpy()
            more = [_ids(count, int(size), own if k % 2 else None, rng) for k, size in enumerate(sizes)]
            made = [
                *here.columns,
                *(_column(values, _is_text(k), rng) for k, values in enumerate(more)),
                *(_missing(rng.standard_exponential(count, np.float32), rng) for _ in dense),
            ]
            writer.write_table(pa.Table.from_arrays(made, schema=schema))


def added(columns: int) -> tuple[list[str], list[str]]:
    """Names of the id columns and of the dense ones beside the simulator's."""
    more = columns - len(OWN) - 2
    dense = round(_DENSE_SHARE * more)
    return [f"id_{k:02d}" for k in range(more - dense)], [f"x_{k:02d}" for k in range(dense)]


def described(folder: Path, columns: int) -> DataConfig:
    """The log below a folder, all its columns used."""
    ids, dense = added(columns)
    days = [f"2024-03-{4 + day:02d}" for day in range(DAYS)]
    return DataConfig.model_validate(
        {
            "path": "log",
            "time": {"column": TIME, "unit": "ms"},
            "label": LABEL,
            "features": {
                "categorical": {name: {"min_count": 2} for name in (*OWN, *ids)},
                "dense": {name: {} for name in dense},
            },
            "split": {"train": [days[0], days[-3]], "validate": [days[-2], days[-2]], "test": [days[-1], days[-1]]},
        }
    )


def _ids(count: int, size: int, own: NDArray[np.int64] | None, rng: np.random.Generator) -> NDArray[np.int64]:
    """Long-tailed; every other column goes with the item for the most part, so that a model finds something."""
    uniform = rng.random(count)
    drawn = (size * uniform * uniform * uniform).astype(np.int64)
    if own is None:
        return drawn
    return np.where(rng.integers(0, 256, count, np.uint8) < _FOLLOWS, own * 2_654_435_761 % size, drawn)


def _column(values: NDArray[np.int64], text: bool, rng: np.random.Generator) -> pa.Array:
    column = _missing(values, rng)
    return pc.binary_join_element_wise("v", column.cast(pa.string()), "") if text else column


def _missing(values: NDArray[np.generic], rng: np.random.Generator) -> pa.Array:
    return pa.array(values, mask=rng.integers(0, 256, len(values), np.uint8) < _MISSING)


def _is_text(k: int) -> bool:
    return k % _TEXT_EVERY == 2
