"""The files of a report, on a rich study and on all the poor ones."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from automl.report.study.data import ReportData
from automl.report.study.page import write_report
from automl.study.history import Baseline, History, Limit, Metric, Origin, Proposal, State
from search_spaces.model import ModelSpec
from tests.worlds.report_studies import (
    ATTACK,
    HUMAN,
    complete,
    failed,
    history_of,
    make_baseline,
    make_facts,
    make_finals,
    make_run,
    rich_data,
    rich_history,
    running,
    small_space,
)

_FETCHING = {"src", "href", "srcset", "data", "poster", "action", "background"}


class Elements(HTMLParser):
    """Every element with its attributes, and the text of the scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text.append(data)


def parsed(page: Path) -> Elements:
    elements = Elements()
    elements.feed(page.read_text(encoding="utf-8"))
    return elements


def records(elements: Elements, name: str) -> Any:
    scripts = [attrs for tag, attrs in elements.found if tag == "script"]
    return json.loads(elements.scripts[[attrs.get("id") for attrs in scripts].index(name)])


def lonely() -> History:
    """A baseline of one seed whose curve was not kept."""
    base = make_baseline()
    one = replace(base.trials[0], curve=())
    baseline = Baseline(
        candidate=base.candidate, trials=(one,), ne=base.ne, ne_std=0.0, qps=base.qps, train_qps=math.nan
    )
    return History(baseline, (complete(1, gain=-0.1, ratio=1.1),))


EDGES: dict[str, tuple[History, str]] = {
    "no trial yet": (history_of(), "Nothing to ship yet: no trial has run."),
    "still running": (
        history_of(running(1, Proposal(small_space().default(), Origin.DEFAULT))),
        "Nothing to ship: no trial was trained to the end.",
    ),
    "all failed": (
        history_of(*(failed(n) for n in range(1, 5))),
        "Nothing to ship: no trial was trained to the end.",
    ),
    "nothing beats the baseline": (
        history_of(complete(1, gain=0.5, ratio=0.9), complete(2, gain=1.5, ratio=0.5)),
        "No better than the baseline.",
    ),
    "a front of one": (
        history_of(complete(1, gain=-0.5, ratio=1.5), complete(2, gain=0.5, ratio=0.9)),
        "Promising, not proven: #1, NE 0.50% better at ×1.50 the QPS.",
    ),
    "one trial": (history_of(complete(1, gain=-0.5, ratio=1.5)), "Promising, not proven"),
    "all stopped": (
        history_of(*(replace(complete(n, gain=0.5 * n, ratio=1.0), state=State.STOPPED) for n in (1, 2))),
        "Nothing to ship: no trial was trained to the end.",
    ),
    "none within the limits": (
        history_of(complete(1, gain=-0.5, ratio=0.5), limits=(Limit(Metric.QPS_RATIO, low=0.9),)),
        "Nothing to ship: no trial keeps the limits.",
    ),
    "equal trials": (
        history_of(complete(1, gain=-0.2, ratio=1.1), complete(2, gain=-0.2, ratio=1.1, seed=3)),
        "Promising, not proven",
    ),
    "no times": (
        history_of(
            *(replace(complete(n, gain=-0.1 * n, ratio=1.1), started_at=None, ended_at=None, cpu_seconds=None)
              for n in (1, 2))
        ),
        "Promising, not proven",
    ),
    "a baseline of one seed": (lonely(), "Promising, not proven"),
    "far away": (
        history_of(complete(1, gain=250.0, ratio=0.001), complete(2, gain=40.0, ratio=300.0)),
        "No better than the baseline.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_edge_cases_have_a_page_and_an_answer(name: str, tmp_path: Path) -> None:
    history, headline = EDGES[name]
    run = make_run(versions={}, wall_seconds=0.0)
    facts = make_facts(run=run, bayes_ne={}, qps_conditions="", data_notes=())
    elements = parsed(write_report(ReportData(facts=facts, history=history), tmp_path))
    assert headline in " ".join(elements.text)
    assert len(records(elements, "records")) == 1 + len(history.trials)
    front = pd.read_csv(tmp_path / "pareto.csv")
    assert set(front["trial"]) <= {t.number for t in history.of_state(State.COMPLETE)}
    trials = pd.read_parquet(tmp_path / "trials.parquet")
    assert list(trials["trial"]) == [0] * len(history.baseline.trials) + [t.number for t in history.trials]


def test_nothing_in_the_page_is_fetched(proven_page: Path) -> None:
    elements = parsed(proven_page)
    for tag, attrs in elements.found:
        for name in _FETCHING & attrs.keys():
            assert str(attrs[name]).startswith(("#", "data:")), f"<{tag} {name}={attrs[name]!r}>"
        assert not any(name.startswith("on") for name in attrs), f"<{tag}> has a handler"
    assert "@import" not in proven_page.read_text(encoding="utf-8")
    (policy,) = [a["content"] for tag, a in elements.found if tag == "meta" and "http-equiv" in a]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_texts_of_users_stay_texts(proven_page: Path) -> None:
    elements = parsed(proven_page)
    assert len(elements.scripts) == 6  # theme, figures, records, plotly, charts, page
    assert not [tag for tag, _ in elements.found if tag == "img"]
    text = "".join(elements.text)
    assert text.count(f"feed-ctr {ATTACK}") >= 2  # the bar and the study file
    assert f"RuntimeError: shapes {ATTACK}" in text
    assert [r for r in records(elements, "records") if ATTACK in r.get("reason", "")]


def test_page_says_what_the_numbers_are(proven_page: Path) -> None:
    text = re.sub(r"\s+", " ", " ".join(parsed(proven_page).text))
    for words in (
        "Ship #",
        "automl search feed/study.yaml --trials 100 --workers 2",
        "2.1e7 discrete combinations x 5 continuous knobs",
        "2022-05-07 to 2022-05-08",
        "best possible NE 0.8312",
        "torch 2.13.0",
        "read as milliseconds by its size",
        "68 complete, 24 stopped, 8 failed",
        "(3 seeds, validation window)",
        "No better than the baseline: the NE interval holds 0",
        "seed 7",
    ):
        assert words in text, words


def test_charts_are_drawn_from_plain_numbers(proven_page: Path) -> None:
    figures = {figure["name"]: figure for figure in records(parsed(proven_page), "figures")}
    assert next(iter(figures)) == "front"  # drawn first
    assert {"finals", "best-gain", "hypervolume", "parallel", "curves", "origins", "rankings", "failures"} <= set(
        figures
    )
    assert {"importance-ne", "importance-qps"} <= set(figures)
    points = [n for trace in figures["front"]["data"] for n in trace.get("customdata", [])]
    measured = {t.number for t in rich_history().of_state(State.COMPLETE)}
    assert measured <= {n for n in points if n != "baseline"}


def test_trials_stopped_before_any_forecast_of_ne_are_in_the_table(proven_page: Path) -> None:
    shown = {r["id"]: r for r in records(parsed(proven_page), "records")}
    unknown = [t.number for t in rich_history().of_state(State.STOPPED) if math.isnan(t.measurement.ne)]  # type: ignore[union-attr]
    assert unknown
    assert all(shown[number]["ne"] is None for number in unknown)


def test_pareto_file_is_the_front_with_models_that_build(proven_page: Path) -> None:
    front = pd.read_csv(proven_page.with_name("pareto.csv"), keep_default_na=False)
    assert list(front["ne_gain_pct"]) == sorted(front["ne_gain_pct"])
    assert list(front["qps_ratio"]) == sorted(front["qps_ratio"])
    by_number = {t.number: t for t in rich_history().trials}
    for row in front.itertuples():
        assert ModelSpec.from_tree(json.loads(str(row.model))) == by_number[int(str(row.trial))].candidate.model
    roles = {pick.trial: pick.role for pick in make_finals(rich_history()).picks}
    assert {row.trial: row.role for row in front.itertuples() if row.role} == {
        number: role for number, role in roles.items() if number in set(front["trial"])
    }


def test_trials_file_holds_every_trial_and_knob(proven_page: Path) -> None:
    frame = pd.read_parquet(proven_page.with_name("trials.parquet"))
    history = rich_history()
    assert list(frame["trial"]) == [0, 0, 0, *(t.number for t in history.trials)]
    assert list(frame["state"][3:]) == [t.state.value for t in history.trials]
    assert frame["knob.embedding.dim"][0] == HUMAN.embedding.dim
    assert frame["on_front"].sum() == len(pd.read_csv(proven_page.with_name("pareto.csv")))
    last = history.trials[-1]
    assert json.loads(frame["curve"].iloc[-1])[0] == [
        last.curve[0].rows, last.curve[0].window_ne, last.curve[0].lifetime_ne
    ]  # fmt: skip


def test_a_page_replaces_the_one_before(tmp_path: Path) -> None:
    write_report(rich_data(), tmp_path)
    write_report(rich_data(finals=True), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pareto.csv", "report.html", "trials.parquet"]
    assert "Ship #" in (tmp_path / "report.html").read_text(encoding="utf-8")
