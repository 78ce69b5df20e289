"""The simulated log: the truth beside it is the truth, its structure is there to be learned, and it repeats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pyarrow.parquet as pq
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.simulated.log import Simulation, simulate
from automl.data.simulated.logits import Rates
from automl.stats.metrics import ne
from search_spaces.errors import InputError

CATEGORICAL = (
    "user_id",
    "item_id",
    "tab",
    "age_band",
    "city",
    "segment",
    "device",
    "author_id",
    "category",
    "tag",
    "format",
)


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return simulate(tmp_path_factory.mktemp("simulated"), rows=100_000, seed=5)


def test_the_true_probabilities_have_the_bayes_ne_that_is_written(simulation: Simulation) -> None:
    log = pq.read_table(simulation.folder / "log.parquet").to_pandas()
    truth = pq.read_table(simulation.folder / "truth.parquet").to_pandas()
    day = ((log["time_ms"] - log["time_ms"].min()) // 86_400_000).to_numpy()
    assert len(log) == len(truth) == 100_000
    assert log["time_ms"].is_monotonic_increasing
    written = json.loads((simulation.folder / "truth.json").read_text())
    for name, days in (("train", day <= 5), ("validate", day == 6), ("test", day == 7)):
        rows = log[days]
        p = truth[days]
        assert ne(rows["click"], p["p_click"]) == pytest.approx(written["bayes_ne"]["click"][name], rel=0.01)
        clicked = (rows["click"] == 1).to_numpy()
        bayes = ne(rows["convert"][clicked], p["p_convert_given_click"][clicked])
        assert bayes == pytest.approx(simulation.bayes_ne["convert"][name], rel=0.03)
    assert not log.loc[log["click"] == 0, ["convert", "dwell_ms"]].to_numpy().any()


def test_rates_and_bayes_ne_are_those_asked_for(tmp_path: Path) -> None:
    rates = Rates(click=0.1, convert=0.3, click_ne=0.75, convert_ne=0.9)
    done = simulate(tmp_path, rows=60_000, users=1500, items=500, days=14, seed=1, rates=rates)
    assert done.base_rate["click"]["train"] == pytest.approx(0.1, abs=0.03)
    assert done.base_rate["convert"]["train"] == pytest.approx(0.3, abs=0.06)
    assert done.bayes_ne["click"]["train"] == pytest.approx(0.75, abs=0.04)
    assert done.bayes_ne["convert"]["train"] == pytest.approx(0.9, abs=0.04)
    assert [(last - first).days + 1 for first, last in done.windows.values()] == [10, 2, 2]


def test_new_users_and_items_arrive_and_ids_have_a_long_tail(simulation: Simulation) -> None:
    log = pq.read_table(simulation.folder / "log.parquet").to_pandas()
    last = (log["time_ms"] - log["time_ms"].min()) // 86_400_000 == 7
    for name in ("user_id", "item_id"):
        new = ~log[name][last].isin(log[name][~last])
        assert 0.001 < new.mean() < 0.2
    counts = log["item_id"].value_counts().to_numpy()
    assert counts[: len(counts) // 10].sum() > 0.35 * len(log)


def test_what_is_learned_lies_between_the_base_rate_and_bayes(simulation: Simulation, tmp_path: Path) -> None:
    config = DataConfig.model_validate(
        {
            "path": "log.parquet",
            "join": [{"path": "users.parquet", "on": "user_id"}, {"path": "items.parquet", "on": "item_id"}],
            "time": {"column": "time_ms", "unit": "ms", "timezone": simulation.timezone},
            "label": "click",
            "features": {
                "categorical": {name: {} for name in CATEGORICAL},
                "dense": {"duration_ms": {"transform": "log"}},
            },
            "split": {name: list(days) for name, days in simulation.windows.items()},
        }
    )
    log = encode_log(config, simulation.folder, tmp_path)
    train, test = log.windows["train"], log.windows["test"]
    rows = np.hstack([log.ids_NF[:, 2:], log.dense_ND])
    settings = {"objective": "binary", "num_leaves": 31, "verbosity": -1, "num_threads": 1, "seed": 0}
    data = lightgbm.Dataset(rows[train], np.asarray(log.labels_N[train]))
    model = lightgbm.train(settings, data, num_boost_round=60)
    learned = ne(log.labels_N[test], model.predict(rows[test]))
    assert simulation.bayes_ne["click"]["test"] + 0.01 < learned < 0.95


def test_equal_arguments_write_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate(tmp_path / name, rows=20_000, users=300, items=100, seed=9)
    simulate(tmp_path / "c", rows=20_000, users=300, items=100, seed=10)
    for file in ("log.parquet", "users.parquet", "items.parquet", "truth.parquet"):
        a, b, c = (pq.read_table(tmp_path / name / file) for name in ("a", "b", "c"))
        assert a.equals(b)
        assert not a.equals(c)


@pytest.mark.parametrize("change", [{"days": 2}, {"rows": 10}, {"users": 0}, {"rates": Rates(click=1.0)}])
def test_sizes_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, int]) -> None:
    with pytest.raises(InputError, match="must be"):
        simulate(tmp_path, **change)  # type: ignore[arg-type]


def test_a_log_is_not_overwritten(tmp_path: Path, write: Callable[..., Path]) -> None:
    write({"a": [1]}, "log.parquet")
    with pytest.raises(InputError, match=r"must be a folder without a log, but found log\.parquet"):
        simulate(tmp_path)


def test_what_is_stopped_in_the_middle_leaves_nothing_and_may_be_asked_for_again(tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    for out in (tmp_path / "new", tmp_path):
        with pytest.raises(KeyboardInterrupt):
            simulate(out, rows=800, passed=stop)
        assert list(tmp_path.iterdir()) == []
    simulate(tmp_path, rows=800)
