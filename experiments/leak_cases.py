"""Logs of which it is known what leaks in them: KuaiRand, The Complete Journey, the simulator, generated ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from automl.data.simulated.log import simulate
from experiments import completejourney, kuairand
from experiments.leak_logs import LOGS, world
from search_spaces.errors import InputError

FEEDBACK = (
    "is_like", "is_follow", "is_comment", "is_forward", "is_hate", "long_view", "play_time_ms", "profile_stay_time",
    "comment_stay_time", "is_profile_enter",
)  # fmt: skip
TEMPLATES = Path(__file__).parents[1] / "automl" / "commands" / "templates"
SPLIT = {
    "train": ["2024-03-01", "2024-03-10"],
    "validate": ["2024-03-11", "2024-03-11"],
    "test": ["2024-03-12", "2024-03-12"],
}


@dataclass(frozen=True, slots=True)
class Case:
    """A log, and what leaks in it: columns, the time, the order of the rows."""

    kind: str
    name: str
    data: Mapping[str, Any]
    leaks: frozenset[str] = frozenset()
    follows: frozenset[str] = frozenset()  # what may be named besides


def described(text: str) -> dict[str, Any]:
    """The `data:` part of a file."""
    tree: dict[str, Any] = YAML(typ="safe").load(StringIO(text))["data"]
    return tree


def kuairand_with(label: Any, dense: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The study of KuaiRand with more dense features."""
    tree = described(kuairand.data_text(label=label, split={name: list(days) for name, days in kuairand.SPLIT.items()}))
    tree["features"]["dense"] |= {name: {} for name in dense}
    return {**tree, **changes}


def feedback_cases() -> Iterator[Case]:
    """Each feedback column of KuaiRand offered as a feature."""
    for name in FEEDBACK:
        yield Case("feedback", f"click, {name}", kuairand_with("is_click", {name: {}}), frozenset([name]))
    for name in (*(name for name in FEEDBACK if name != "long_view"), "is_click"):
        yield Case("feedback", f"long view, {name}", kuairand_with("long_view", {name: {}}), frozenset([name]))
    for name in (*(name for name in FEEDBACK if name != "is_like"), "is_click"):
        yield Case("feedback, rare label", f"like, {name}", kuairand_with("is_like", {name: {}}), frozenset([name]))
    for name in ("is_like", "is_comment", "long_view"):
        tree = kuairand_with("is_click", {})
        tree["features"]["categorical"][name] = {}
        yield Case("feedback", f"click, {name} as an id", tree, frozenset([name]))


def aggregate_cases(folder: Path) -> Iterator[Case]:
    """Rates and counts of KuaiRand over all of its days, joined; and as honest engineers make them."""
    log = pd.read_parquet(kuairand.kuairand_folder() / "log.parquet").drop_duplicates()
    for key, label in (
        ("video_id", "is_click"),
        ("user_id", "is_click"),
        ("video_id", "is_like"),
        ("user_id", "is_like"),
    ):
        rate = log.groupby(key)[label].mean().rename("rate")
        yield joined(folder, f"{label} of a {key} over two weeks", key, rate, label, leaks=True)
    clicks = log.groupby("video_id")["is_click"].sum().rename("clicks")
    yield joined(folder, "clicks of a video over two weeks", "video_id", clicks, "is_click", leaks=True)
    smoothed = (log.groupby("user_id")["is_click"].sum() + 9) / (log.groupby("user_id").size() + 20)
    yield joined(folder, "smoothed click rate of a user", "user_id", smoothed.rename("rate"), "is_click", leaks=True)
    train = log[log["date"] <= 20220504].groupby("user_id")["is_click"].mean().rename("rate")
    yield joined(folder, "click rate of a user in train", "user_id", train, "is_click", leaks=True)
    # Honest: what the days before the training window tell.
    later = {**kuairand.SPLIT, "train": ["2022-04-29", "2022-05-04"]}
    past = log[log["date"] < 20220429]
    for key in ("video_id", "user_id"):
        rate = past.groupby(key)["is_click"].mean().rename("rate")
        yield joined(folder, f"click rate of a {key} before train", key, rate, "is_click", leaks=False, split=later)
    shown = past.groupby("video_id").size().rename("shown")
    yield joined(folder, "shows of a video before train", "video_id", shown, "is_click", leaks=False, split=later)


def journey_cases(folder: Path) -> Iterator[Case]:
    """The Complete Journey, where it is there: as it is; with rates over the year; with when it is bought again."""
    try:
        tree = described(completejourney.data_text())
    except InputError as error:
        print(f"left out: {error}")
        return
    yield Case("clean", "The Complete Journey", tree)
    log = pd.read_parquet(tree["path"])
    for key in ("household_id", "product_id"):
        rate = log.groupby(key)[completejourney.LABEL].transform("mean")
        yield journey(folder, f"rate of a {key} over the year", log.assign(extra=rate), tree)
    by_pair = log.groupby(["household_id", "product_id"])["transaction_timestamp"]
    until = (by_pair.shift(-1) - log["transaction_timestamp"]).dt.days
    yield journey(folder, "days until it is bought again", log.assign(extra=until), tree)


def journey(folder: Path, name: str, log: pd.DataFrame, tree: Mapping[str, Any]) -> Case:
    path = folder / "journey.parquet"
    log.to_parquet(path, index=False)
    features = {**tree["features"], "dense": {**tree["features"]["dense"], "extra": {}}}
    return Case("another log", name, {**tree, "path": str(path), "features": features}, frozenset(["extra"]))


def joined(folder: Path, name: str, key: str, column: pd.Series, label: str, *, leaks: bool, **changes: Any) -> Case:
    """KuaiRand with one more side table of one number a key."""
    path = folder / f"{name.replace(' ', '_')}.parquet"
    column.reset_index().rename(columns={column.name: "aggregate"}).to_parquet(path, index=False)
    tree = kuairand_with(label, {"aggregate": {}}, **changes)
    tree["join"] = [*tree["join"], {"path": str(path), "on": key}]
    return Case("aggregate" if leaks else "clean", name, tree, frozenset(["aggregate"] if leaks else []))


def running_cases(folder: Path) -> Iterator[Case]:
    """Running rates that count their own row, or leave only that one out; and one that does neither."""
    log = pd.read_parquet(kuairand.kuairand_folder() / "log.parquet").drop_duplicates()
    log = log.sort_values("time_ms", kind="stable")
    by_user = log.groupby("user_id")["is_click"]
    seen, clicks = by_user.cumcount(), by_user.cumsum() - log["is_click"]
    rates = {
        "running rate with its own row": (clicks + log["is_click"] + 1) / (seen + 3),
        "rate of all other rows": (by_user.transform("sum") - log["is_click"]) / (by_user.transform("size") - 1),
        "running rate of earlier rows": (clicks + 1) / (seen + 3),
    }
    for name, rate in rates.items():
        path = folder / f"{name.replace(' ', '_')}.parquet"
        log.assign(rate=rate).to_parquet(path, index=False)
        tree = {**kuairand_with("is_click", {"rate": {}}), "path": str(path)}
        leaks = name != "running rate of earlier rows"
        yield Case("own row" if leaks else "clean", name, tree, frozenset(["rate"] if leaks else []))


def generated_cases(folder: Path, rows: int) -> Iterator[Case]:
    """Generated logs, at three base rates."""
    for seed, base in enumerate((0.2, 0.03, 0.5)):
        for name, trap in LOGS.items():
            log = trap.make(world(rows, seed, base), np.random.default_rng([seed, 1]))
            path = folder / "generated.parquet"
            log.to_parquet(path, index=False)
            features: dict[str, Any] = {"categorical": {"user": {}, "item": {}, "@hour": {}}, "dense": {"price": {}}}
            if trap.kind:
                features[trap.kind]["extra"] = {}
            tree = {
                "path": str(path),
                "time": {"column": "time", "unit": "ns"},
                "label": "click",
                "features": features,
                "split": SPLIT,
            }
            kind = "clean" if not trap.leaks else "column" if trap.kind else "clock"
            yield Case(kind, f"{name}, {base:.0%}", tree, frozenset(trap.leaks), frozenset(trap.follows))


def clean_cases(folder: Path, rows: int) -> Iterator[Case]:
    """Logs as they are."""
    for name, label in (("click", "is_click"), ("long view", "long_view"), ("like", "is_like")):
        yield Case("clean", f"KuaiRand, {name}", kuairand_with(label, {}))
    given = {"column": "long_view", "given": "is_click"}
    yield Case("clean", "KuaiRand, long view given click", kuairand_with(given, {}))
    for seed in range(3):
        simulate(folder / f"simulated{seed}", rows=rows, users=rows // 20, items=1500, days=12, seed=seed)
        for name in ("ctr", "cvr"):
            text = (TEMPLATES / name / "study.yaml").read_text().replace("log/", f"{folder}/simulated{seed}/")
            yield Case("clean", f"simulated {name}, seed {seed}", described(text))
        text = (TEMPLATES / "ctr" / "study.yaml").read_text().replace("log/", f"{folder}/simulated{seed}/")
        tree = described(text)
        tree["features"]["dense"]["dwell_ms"] = {}
        yield Case("feedback", f"simulated, dwell_ms, seed {seed}", tree, frozenset(["dwell_ms"]))
