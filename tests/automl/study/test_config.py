"""The words of a study file: durations, sizes, limits, windows, labels; and what stays as it is when left out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from automl.data.describe.parts import parse_seconds
from automl.study.config import STRATEGIES, StudyConfig, is_cost_limit, parse_limit
from automl.study.history import Limit, Metric, Prefer
from tests.worlds.studies import study_config, study_tree


def faults(**changes: object) -> list[tuple[tuple[str | int, ...], str]]:
    """Place and kind of every fault."""
    with pytest.raises(ValidationError) as caught:
        study_config(**changes)
    return [(error["loc"], str(error.get("ctx", {}).get("error", error["type"]))) for error in caught.value.errors()]


# ---------------------------------------------------------------- durations and sizes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("10m", 600.0), ("1.5h", 5400.0), (90, 90.0), (0.5, 0.5), (" 2m ", 120.0), ("0.25s", 0.25)],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert study_config(trial={"timeout": text}).trial.timeout == seconds
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "10 m", "m", "-5m", "1d", "1h30m", "1e3s", "5M", "inf"])
def test_what_is_no_duration(text: str) -> None:
    assert faults(trial={"timeout": text})[0][0] == ("trial", "timeout")
    with pytest.raises(ValueError, match="must be a duration like 90s, 10m or 1h"):
        parse_seconds(text)


@pytest.mark.parametrize("value", [0, -1, True, None, float("nan"), float("inf"), "721h", 10**12])
def test_durations_are_finite_and_above_zero(value: object) -> None:
    assert faults(trial={"timeout": value})[0][0] == ("trial", "timeout")


@settings(deadline=None)
@given(st.integers(1, 10**6), st.sampled_from("smh"))
def test_a_duration_reads_as_it_is_written(count: int, unit: str) -> None:
    assert parse_seconds(f"{count}{unit}") == count * {"s": 1, "m": 60, "h": 3600}[unit]


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MiB", 512 << 20), ("4GiB", 4 << 30), ("1.5G", 3 << 29), ("2 GB", 2 << 30), ("64K", 64 << 10), (1000, 1000)],
)
def test_sizes(text: str | int, size: int) -> None:
    assert study_config(trial={"memory": text}).trial.memory == size


@pytest.mark.parametrize("value", ["4TB", "4 gigabytes", "-1G", "", "G", 0, -5, 1.5, True, None])
def test_what_is_no_size(value: object) -> None:
    assert faults(trial={"memory": value})[0][0] == ("trial", "memory")


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("qps >= 0.95 * baseline.qps", Limit(Metric.QPS_RATIO, low=0.95)),
        ("qps>=baseline.qps", Limit(Metric.QPS_RATIO, low=1.0)),
        ("  qps <= 4 * baseline.qps ", Limit(Metric.QPS_RATIO, high=4.0)),
        ("train_qps >= 0.5*baseline.train_qps", Limit(Metric.TRAIN_QPS_RATIO, low=0.5)),
        ("ne <= baseline.ne", Limit(Metric.NE_GAIN_PCT, high=0.0)),
        ("qps >= 0 * baseline.qps", Limit(Metric.QPS_RATIO, low=0.0)),
        ("ne.ctr <= baseline.ne.ctr", Limit(Metric.NE_GAIN_PCT, high=0.0, task="ctr")),
    ],
)
def test_limits(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit
    assert study_config(constraints=[text]).limits == (limit,)


def test_a_limit_on_ne_is_one_on_the_gain() -> None:
    limit = parse_limit("ne <= 1.002 * baseline.ne")
    assert limit.metric == "ne_gain_pct"
    assert limit.high == pytest.approx(0.2)


@pytest.mark.parametrize(
    "text",
    ["", "qps", "qps > baseline.qps", "qps >= 100000", "qps >= baseline.ne", "baseline.qps <= qps",
     "qps >= -1 * baseline.qps", "qps >= baseline.qps * 2", "ne.ctr <= baseline.ne.cvr", "qps.ctr >= baseline.qps.ctr",
     "latency <= baseline.latency", "qps >= 2 * base.qps"],
)  # fmt: skip
def test_what_is_no_limit(text: str) -> None:
    ((place, told),) = faults(constraints=["ne <= baseline.ne", text])
    assert place == ("constraints", 1)
    assert told.startswith("must read like `qps >= 0.95 * baseline.qps`")
    assert told.endswith(f"but found `{text}`")


def test_every_bad_limit_is_told_at_its_place() -> None:
    assert [place for place, _ in faults(constraints=["qps", "ne <= baseline.ne", "ne"])] == [
        ("constraints", 0), ("constraints", 2),
    ]  # fmt: skip


def test_limits_on_cost_are_kept_apart() -> None:
    texts = ["params <= 20M", "qps >= baseline.qps", "not (flops > 1G)", "activation_bytes <= 5K"]
    config = study_config(constraints=texts)
    assert config.cost_limits == ("params <= 20M", "not (flops > 1G)", "activation_bytes <= 5K")
    assert config.limits == (Limit(Metric.QPS_RATIO, low=1.0),)
    assert not is_cost_limit("hyperparams <= 3")


# ---------------------------------------------------------------- windows, labels, features


def split(**windows: object) -> dict[str, object]:
    return {**study_tree()["data"], "split": windows}


def test_days_may_be_text_or_dates() -> None:
    day = dt.date(2024, 3, 4)
    windows = {"train": [day, "2024-03-09"], "validate": ["2024-03-10"] * 2, "test": (dt.datetime(2024, 3, 11, 5), day)}
    config = study_config(data=split(**windows))
    assert config.data.split.train == (day, dt.date(2024, 3, 9))
    assert config.data.split.test == (dt.date(2024, 3, 11), day)


@pytest.mark.parametrize("days", [["2024-03-04"], ["2024-03-04"] * 3, "2024-03-04", 20240304, None, {}])
def test_a_window_is_two_days(days: object) -> None:
    found = faults(data=split(train=days, validate=["2024-03-10"] * 2, test=["2024-03-11"] * 2))
    assert found[0][0] == ("data", "split", *(["train"] if days is not None else []))


def test_either_days_or_shares() -> None:
    shares = {"train": 0.8, "validate": 0.1, "test": 0.1}
    assert study_config(data=split(random=shares)).data.split.random is not None
    days = study_tree()["data"]["split"]
    assert faults(data=split(**days, random=shares)) == [
        (("data", "split"), "must give days or random shares, not both")
    ]
    assert faults(data=split(train=days["train"])) == [
        (("data", "split"), "must give train, validate and test as days, or random shares")
    ]
    assert faults(data=split(random={**shares, "seed": -1}))[0][0] == ("data", "split", "random", "seed")


def data(**changes: object) -> dict[str, object]:
    tree = {**study_tree()["data"], **changes}
    return {key: value for key, value in tree.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "name", "column", "given"),
    [
        ({"label": "click"}, "click", "click", None),
        ({"label": {"column": "click"}}, "click", "click", None),
        ({"label": {"column": "buy", "given": "click"}}, "buy", "buy", "click"),
        ({"label": {"column": "buy", "name": "cvr"}}, "cvr", "buy", None),
    ],
)
def test_labels(changes: dict[str, object], name: str, column: str, given: str | None) -> None:
    label = study_config(data=data(**changes)).data.label
    assert (label.name, label.column, label.given) == (name, column, given)


def test_a_label_it_must_be() -> None:
    assert faults(data=data(label=None))[0] == (("data", "label"), "missing")
    assert faults(data=data(label=3))[0][0] == ("data", "label")


def test_dense_features_may_be_a_list() -> None:
    def features(dense: object) -> dict[str, object]:
        return data(features={"categorical": {"user_id": {}}, "dense": dense})

    assert list(study_config(data=features(["b", "a"])).data.features.dense) == ["b", "a"]
    assert study_config(data=features({"a": {"transform": "log"}})).data.features.dense["a"].transform == "log"
    for bad in (["a", "a"], [{"a": {}}], [3], "a", [["a"]]):
        assert faults(data=features(bad))[0][0] == ("data", "features", "dense")


def test_a_time_may_be_its_column_alone() -> None:
    config = study_config(data=data(time="when"))
    assert config.data.time is not None
    assert (config.data.time.column, config.data.time.unit, config.data.time.timezone) == ("when", None, "UTC")
    assert faults(data=data(time=None)) == [(("data",), "a split by days must have a time column")]


# ---------------------------------------------------------------- the whole


def test_what_is_left_out_has_its_documented_default() -> None:
    tree = {key: study_tree()[key] for key in ("name", "data", "space", "baseline")}
    config = StudyConfig.model_validate(tree)
    assert (config.search.strategy, config.search.batch, config.search.stop_early) == ("controller", 10, True)
    assert config.search.prefer == Prefer.BALANCED
    assert (config.trial.timeout, config.trial.memory) == (600.0, 4 << 30)
    assert (config.resources.cpu, config.resources.gpu) == (1.0, 0.0)
    assert (config.qps.batch_rows, config.qps.clock) == (512, "cpu")
    assert (config.finals.margin_pct, config.finals.seeds, config.baseline_seeds, config.seed) == (0.2, 5, 3, 0)
    assert config.objectives == {"ne": "minimize", "qps": "maximize"}
    assert config.constraints == ()


def test_every_strategy_can_be_named_and_no_other() -> None:
    for name in STRATEGIES:
        assert study_config(search={"strategy": name}).search.strategy == name
    assert faults(search={"strategy": "grid"})[0][0] == ("search", "strategy")


def test_every_preference_can_be_named_and_no_other() -> None:
    for preferred in Prefer:
        assert study_config(search={"prefer": str(preferred)}).search.prefer == preferred
    assert faults(search={"prefer": "cheap"})[0][0] == ("search", "prefer")


def test_a_trial_holds_one_gpu_or_a_part_of_one() -> None:
    assert study_config(resources={"gpu": 0.25}).resources.gpu == 0.25
    assert faults(resources={"gpu": 2}) == [(("resources", "gpu"), "less_than_equal")]


def test_speed_is_timed_on_a_gpu_only_where_a_trial_holds_one() -> None:
    assert study_config(resources={"gpu": 0.5}, qps={"clock": "gpu"}).qps.clock == "gpu"
    ((where, must),) = faults(qps={"clock": "gpu"})
    assert where == ("qps",)
    assert "`resources: {gpu: 1}`" in must


def test_it_is_frozen() -> None:
    config = study_config()
    with pytest.raises(ValidationError):
        config.seed = 3  # type: ignore[misc]


def test_a_preference_is_for_who_hears_it() -> None:
    assert study_config(search={"strategy": "random", "prefer": "balanced"}).search.prefer == "balanced"
    assert study_config(search={"prefer": "accurate"}).search.prefer == "accurate"
    ((where, must),) = faults(search={"strategy": "random", "prefer": "accurate"})
    assert where == ("search", "prefer")
    assert must == "must be left out with random: only the controller hears what is preferred"


def test_seeds_are_not_negative() -> None:
    assert faults(seed=-1) == [(("seed",), "greater_than_equal")]


# ---------------------------------------------------------------- the record's place


@pytest.mark.parametrize(
    "url", ["postgresql://db/ads", "postgresql://me@db:5433/ads", "postgresql:///ads?host=/run/pg"]
)
def test_databases(url: str) -> None:
    assert study_config(storage=url).storage == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///study.db", "must be postgresql://"),
        ("postgresql://db", "must be postgresql://"),
        ("postgresql://me:secret@db/ads", "must not hold a password"),
        ("postgresql://me@db/ads?password=secret", "must not hold a password"),
    ],
)
def test_what_is_no_database(url: str, told: str) -> None:
    ((place, error),) = faults(storage=url)
    assert place == ("storage",)
    assert told in error
    assert "secret" not in error


# ---------------------------------------------------------------- several labels


def _several(**changes: Any) -> StudyConfig:
    data = {**study_tree()["data"], "labels": {"ctr": "click", "cvr": {"column": "convert", "given": "click"}}}
    del data["label"]
    return study_config(data=data, **changes)


def test_the_objective_may_name_one_of_several_labels() -> None:
    assert (study_config().task, _several().task) == (None, None)
    assert _several(objectives={"ne.cvr": "minimize", "qps": "maximize"}).task == "cvr"


@pytest.mark.parametrize(
    "objectives",
    [{"ne.buy": "minimize", "qps": "maximize"}, {"ne.cvr": "maximize", "qps": "maximize"}, {"ne.cvr": "minimize"},
     {"ne.ctr": "minimize", "ne.cvr": "minimize", "qps": "maximize"}],
)  # fmt: skip
def test_what_is_no_objective(objectives: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"of ne\.ctr or ne\.cvr"):
        _several(objectives=objectives)
    with pytest.raises(ValidationError, match=r"must be \{ne: minimize, qps: maximize\}"):
        study_config(objectives=objectives)


def test_of_unsound_data_an_objective_is_held_against_its_form_alone() -> None:
    unsound = {**study_tree()["data"], "negatives_kept": 2}
    for sound in ({"ne.cvr": "minimize", "qps": "maximize"}, {"ne": "minimize", "qps": "maximize"}):
        assert [place for place, _ in faults(data=unsound, objectives=sound)] == [("data", "negatives_kept")]
    for bad in ({"ne.cvr": "maximize", "qps": "maximize"}, {"qps": "maximize"}, ["ne"], {1: "minimize"}):
        assert [place[0] for place, _ in faults(data=unsound, objectives=bad)] == ["data", "objectives"]


def test_a_sampled_log_has_one_label() -> None:
    data = {**study_tree()["data"], "labels": {"ctr": "click", "buy": "buy"}, "negatives_kept": 0.1}
    del data["label"]
    with pytest.raises(ValidationError, match="negatives_kept must have one label"):
        study_config(data=data)
