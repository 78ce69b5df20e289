"""The simulated stream: its truth is the truth, it drifts when asked to, its domains differ, its labels come late."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from automl.data.columns.times import NEVER
from automl.data.describe.streams import StreamDataConfig
from automl.data.encode.stream import encode_stream
from automl.data.simulated.stream import StreamSimulation, simulate_stream
from automl.stats.metrics import ne
from search_spaces.errors import InputError

SMALL: dict[str, Any] = {"rows": 30_000, "users": 800, "items": 300, "days": 6}


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> StreamSimulation:
    return simulate_stream(tmp_path_factory.mktemp("stream"), seed=3, drift=0.5, bias=1.0, never=0.1, **SMALL)


def frame_of(folder: Path) -> pd.DataFrame:
    log, truth = (pq.read_table(folder / f"{name}.parquet").to_pandas() for name in ("log", "truth"))
    return pd.concat([log, truth], axis=1)


def test_the_true_probabilities_have_the_bayes_ne_that_is_written(simulation: StreamSimulation) -> None:
    frame = frame_of(simulation.folder)
    facts = json.loads((simulation.folder / "truth.json").read_text())
    assert facts["bayes_ne"]["day"] == simulation.bayes_ne_by_day
    assert simulation.bayes_ne_by_day["click"]["all"] == pytest.approx(ne(frame["click"], frame["p_click"]))
    clicked = frame[frame["click"] == 1]
    for domain, part in clicked.groupby("domain"):
        found = simulation.bayes_ne_by_domain["convert"][str(domain)]
        assert found == pytest.approx(ne(part["convert"], part["p_convert_given_click"]))
    assert clicked["convert"].mean() == pytest.approx(clicked["p_convert_given_click"].mean(), abs=0.01)
    assert frame["click"].mean() == pytest.approx(frame["p_click"].mean(), abs=0.01)
    assert not frame.loc[frame["click"] == 0, "convert"].any()


def test_domains_differ_by_their_bias(simulation: StreamSimulation, tmp_path: Path) -> None:
    rates = [simulation.base_rate_by_domain["click"][str(d)] for d in range(3)]
    assert rates[0] > rates[1] + 0.05 > rates[2] + 0.1
    even = simulate_stream(tmp_path, seed=3, bias=0.0, drift=0.0, **SMALL)
    same = list(even.base_rate_by_domain["click"].values())
    assert max(same) - min(same) < 0.03


@pytest.mark.parametrize("drift", [0.0, 1.0])
def test_tastes_move_when_they_are_to(tmp_path: Path, drift: float) -> None:
    """An item's click logit of day 0 tells that of the last day the less, the more tastes drift."""
    simulate_stream(tmp_path, seed=1, drift=drift, bias=0.0, domains=1, rows=60_000, users=300, items=60, days=6)
    frame = frame_of(tmp_path)
    day = (frame["time_ms"] - frame["time_ms"].min()) // 86_400_000
    frame["logit"] = np.log(frame["p_click"] / (1 - frame["p_click"]))
    means = [frame[day == k].groupby("item_id")["logit"].mean() for k in (0, 5)]
    sizes = [frame[day == k].groupby("item_id").size() for k in (0, 5)]
    both = means[0].index[sizes[0] > 20].intersection(sizes[1].index[sizes[1] > 20])
    likeness = np.corrcoef(means[0][both], means[1][both])[0, 1]
    assert likeness > 0.95 if drift == 0 else likeness < 0.9


def test_it_is_a_stream_with_late_labels(simulation: StreamSimulation, tmp_path: Path) -> None:
    config = StreamDataConfig.model_validate(
        {
            "path": str(simulation.folder / "log.parquet"),
            "time": {"column": "time_ms", "unit": "ms"},
            "labels": {
                "click": "click",
                "convert": {"column": "convert", "given": "click", "arrives": "label_time_ms"},
            },
            "features": {"categorical": {"user_id": {}, "item_id": {}, "domain": {}}},
            "segments": {"item": "item_id"},
        }
    )
    stream = encode_stream(config, Path("/"), tmp_path)
    assert [window.name for window in stream.windows] == [str(day) for day in simulation.days]
    clicked = stream.labels_NT[:, 0] == 1
    arrives = stream.arrivals_NT[clicked, 1]
    never = arrives == NEVER
    assert never.mean() == pytest.approx(0.1, abs=0.02)
    hours = (arrives[~never] - stream.times_N[clicked][~never]) / 3.6e12
    assert hours.mean() == pytest.approx(2.0, rel=0.05)
    assert stream.segments["new item"][stream.windows[-1].rows].any()  # items keep arriving


def test_equal_arguments_write_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate_stream(tmp_path / name, seed=4, rows=2000, days=3, users=100, items=50)
    for name in ("log.parquet", "users.parquet", "items.parquet", "truth.parquet", "truth.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with pytest.raises(InputError, match=r"must be a folder without a log, but found log\.parquet"):
        simulate_stream(tmp_path / "a")


def test_arguments_out_of_range_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        simulate_stream(tmp_path, days=1, drift=1.5, domains=0, never=1.0)
    assert len(caught.value.mistakes) == 4


def test_what_is_stopped_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_stream(tmp_path, rows=1400, passed=stop)
    assert list(tmp_path.iterdir()) == []
