"""Small logs on disk and descriptions of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl.data.describe.tables import DataConfig
from experiments.kuairand import kuairand_folder
from search_spaces.errors import InputError

DAY_MS = 86_400_000
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC
SPLIT = {
    "train": ["2024-01-01", "2024-01-04"],
    "validate": ["2024-01-05", "2024-01-05"],
    "test": ["2024-01-06", "2024-01-06"],
}


def columns_of(rows: int = 600, seed: int = 0) -> dict[str, Any]:
    """Six days of a log, not in order of time, with an id, a word with gaps and a number with gaps."""
    rng = np.random.default_rng(seed)
    word = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
    price = np.exp(rng.normal(size=rows)).round(3)
    return {
        "time_ms": START_MS + rng.integers(0, 6 * DAY_MS, rows),
        "click": rng.integers(0, 2, rows),
        "buy": rng.integers(0, 2, rows),
        "user": rng.zipf(1.6, rows).clip(max=300),
        "word": pa.array(word, mask=rng.random(rows) < 0.1),
        "price": pa.array(price, mask=rng.random(rows) < 0.1),
        "weight": rng.gamma(2.0, size=rows),
    }


@pytest.fixture
def columns() -> dict[str, Any]:
    return columns_of()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a Parquet table below tmp_path."""

    def write_table(columns: Mapping[str, Any], name: str = "log.parquet", **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(dict(columns)), path, **options)
        return path

    return write_table


@pytest.fixture
def describe() -> Callable[..., DataConfig]:
    """A description of `columns`, changed by keywords; None removes a key."""

    def description(**changes: Any) -> DataConfig:
        tree = {
            "path": "log.parquet",
            "time": {"column": "time_ms", "unit": "ms"},
            "label": "click",
            "features": {"categorical": {"user": {}, "word": {}}, "dense": {"price": {}}},
            "split": SPLIT,
            **changes,
        }
        return DataConfig.model_validate({key: value for key, value in tree.items() if value is not None})

    return description


@pytest.fixture
def kuairand() -> Path:
    """The real log, where the checkout has it beside it."""
    try:
        return kuairand_folder()
    except InputError as error:
        pytest.skip(str(error))
