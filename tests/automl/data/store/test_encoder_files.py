"""Encoders of an encoded stream: its rows, encoded again in their order, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from automl.commands.export import log_encoders
from automl.data.describe.streams import StreamDataConfig
from automl.data.encode.stream import encode_stream
from automl.data.encode.stream_plan import make_stream_plan


def test_a_stream_encodes_as_it_was_encoded(
    write: Callable[..., Path], columns: dict[str, Any], tmp_path: Path
) -> None:
    columns = {**columns, "time_ms": np.sort(columns["time_ms"])}
    write(columns)
    tree = {
        "path": "log.parquet",
        "time": "time_ms",
        "labels": {"click": "click"},
        "features": {
            "categorical": {"user": {}, "word": {}, "@hour": {}},
            "dense": {"price": {"transform": "log"}},
            "counters": {"keys": ["user", ["user", "word"]], "labels": ["click"]},
        },
        "window": "day",
    }
    config = StreamDataConfig.model_validate(tree)
    stream = encode_stream(config, tmp_path, tmp_path / "cache")
    encoders = log_encoders(stream.folder, make_stream_plan(config, tmp_path))
    assert encoders.time is not None
    assert encoders.time.unit == "ms"
    counters = stream.dense[1:]
    assert all(name.startswith("@") for name in counters)
    assert set(counters) < set(encoders.columns)

    known = encoders.select(stream.fields, ["price"])
    found = known.encode(pa.table(columns))
    ids, dense = found.ids_BF, found.dense_BD
    np.testing.assert_array_equal(ids, stream.ids_NF)
    np.testing.assert_array_equal(dense[:, 0], stream.dense_ND[:, 0])

    raw = (
        np.asarray(stream.dense_ND, np.float64) * encoders.scales.scale_D + encoders.scales.mean_D
    )  # as a server would give them
    given = {name: raw[:, k] for k, name in enumerate(stream.dense) if k > 0}
    dense = encoders.encode(pa.table({**columns, **given})).dense_BD
    np.testing.assert_allclose(dense, stream.dense_ND, atol=1e-5)
