"""The judge of the finals: predictions in, verdicts out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from automl.commands.judge import Trained, judge
from automl.commands.repeats import BASELINE, Failed
from automl.data.store.log import EncodedLog
from automl.stats.metrics import ne as ne_of
from automl.stats.significance import examples_std, log_losses
from automl.strategies.picks import Pick
from automl.study.history import Failure, Origin, Proposal
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.results import Finals, Unfit
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate
from tests.worlds.studies import begun_study, candidates, complete

Floats = NDArray[np.float64]


class Court:
    """Two picks and the baseline: probabilities that differ from the baseline's as the case wants it."""

    def __init__(self, problem: Problem, log: EncodedLog, study: Study, models: Sequence[Candidate] = ()) -> None:
        self.problem, self.log, self.study, self.seeds = problem, log, study, 5
        rows = log.windows["test"]
        self.labels = np.asarray(log.labels_N[rows], dtype=np.float64)
        rng = np.random.default_rng(0)
        self.logits = np.stack([self._noisy(0.0, rng) for _ in range(self.seeds)])
        self.rng = rng
        found = models or candidates(2, space=problem.space)
        begun = study.begin([Proposal(candidate, Origin.RANDOM) for candidate in found], 1)
        base = study.baseline()
        assert base is not None
        for trial, gain in zip(begun, (-0.4, 0.1), strict=False):
            study.end(complete(trial, ne=base.ne * (1 + gain / 100)))

    def _noisy(self, skill: float, rng: np.random.Generator) -> Floats:
        """Logits that know a share of the label, and some luck of the seed."""
        return -1.0 + (0.3 + skill) * (self.labels - 0.25) + rng.normal(0, 0.02, len(self.labels))

    def hears(
        self, *skills: float, failed: Mapping[str, Failed] | None = None, orders: Mapping[str, int] | None = None
    ) -> Finals:
        probs = {BASELINE: sigmoid(self.logits)}
        for number, skill in enumerate(skills, 1):
            probs[str(number)] = sigmoid(np.stack([self._noisy(skill, self.rng) for _ in range(self.seeds)]))
        self.probs: Mapping[str, Floats] = probs
        chosen = [Pick(number, role, -0.1) for number, role in zip((1, 2), ("accurate", "fast"), strict=False)]
        for name in failed or ():
            del probs[name]
        for name, count in (orders or {}).items():
            probs[name] = probs[name][:count]
        return judge(self.problem, self.log, Trained(probs, failed or {}), chosen[: len(skills)], self.study, seeds=5)


def sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


@pytest.fixture
def court(problem: Problem, log: EncodedLog, tmp_path: Path) -> Court:
    return Court(problem, log, begun_study(tmp_path, space=problem.space))


def test_a_better_and_a_worse_model_are_told_apart(court: Court) -> None:
    found = court.hears(0.15, -0.15)
    better, worse = found.picks
    assert (better.trial, better.role, better.verdict) == (1, "accurate", "better")
    assert better.ci_low_pct < better.ne_gain_pct < better.ci_high_pct < 0
    assert better.p_corrected < 0.05
    assert worse.ne_gain_pct > 0
    assert worse.verdict == "worse"
    assert better.smallest_margin_pct is None
    assert found.margin_pct == 0.3
    assert found.seeds == 5
    widths = [0.5 * (pick.ci_high_pct - pick.ci_low_pct) for pick in found.picks]
    assert found.half_width_pct == pytest.approx(max(widths))


def test_a_pick_that_failed_is_unfit_and_the_others_are_judged(court: Court) -> None:
    failed = {"1": Failed(2, Failure("diverged", "NE rose to 3.2 after 512 rows"))}
    found = court.hears(0.15, 0.15, failed=failed)
    unfit, better = found.picks
    assert (unfit.trial, unfit.verdict) == (1, "unfit")
    assert unfit.unfit == Unfit(order=3, kind="diverged", reason="NE rose to 3.2 after 512 rows")
    assert math.isnan(unfit.ne_gain_pct)
    assert unfit.search_ne_gain_pct == pytest.approx(-0.4), "what the search had believed, all the same"
    assert better.verdict == "better"
    assert found.fit == (better,)
    alone = court.hears(0.15, 0.15, failed={**failed, "2": Failed(0, Failure("lost", "gone"))})
    assert [pick.verdict for pick in alone.picks] == ["unfit", "unfit"]
    assert math.isfinite(alone.baseline.ne)
    assert alone.to_json()["half_width_pct"] is None


def test_its_figures_are_those_of_the_predictions(court: Court) -> None:
    found = court.hears(0.05)
    (pick,) = found.picks
    entropy = log_loss(court.labels, np.full(len(court.labels), court.labels.mean()))
    by_seed = {
        name: np.array([log_loss(court.labels, row) / entropy for row in rows]) for name, rows in court.probs.items()
    }
    assert found.baseline.ne == pytest.approx(by_seed[BASELINE].mean())
    assert found.baseline.ne_std == pytest.approx(by_seed[BASELINE].std(ddof=1))
    assert found.baseline.qps == 100_000.0
    assert pick.ne == pytest.approx(by_seed["1"].mean())
    assert pick.ne_gain_pct == pytest.approx(100 * (by_seed["1"].mean() / by_seed[BASELINE].mean() - 1))
    assert pick.search_ne_gain_pct == pytest.approx(-0.4), "what the search had believed, beside it"


def test_a_model_that_is_the_baseline_is_no_better(court: Court) -> None:
    (pick,) = court.hears(0.0).picks
    assert pick.verdict in ("no better", "faster")
    assert pick.ci_low_pct < 0 < pick.ci_high_pct
    if pick.verdict == "no better":
        assert pick.smallest_margin_pct == pytest.approx(pick.ci_high_pct)


def test_a_cheaper_model_of_the_same_quality_is_faster(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    """By the analytic clock the speed is what its cost says."""
    tree = {**problem.baseline.to_tree(), "interaction": [], "deep": [{"mlp": {"width": 16}}], "embedding": {"dim": 4}}
    small = problem.space.nearest(ModelSpec.from_tree(tree))
    court = Court(problem, log, begun_study(tmp_path, space=problem.space), [small])
    court.problem = replace(court.problem, config=court.problem.config.model_copy(
        update={"finals": court.problem.config.finals.model_copy(update={"margin_pct": 5.0})}))  # fmt: skip
    (pick,) = court.hears(0.0).picks
    assert pick.qps_ratio_low > 1.05
    assert pick.verdict == "faster"


def test_a_pick_of_fewer_orders_is_judged_on_its_own(court: Court) -> None:
    found = court.hears(0.15, -0.15, orders={"2": 3})
    went_on, dropped = found.picks
    assert (found.baseline.orders, went_on.orders, dropped.orders, found.seeds) == (5, 5, 3, 5)
    assert [found.dropped(pick) for pick in found.picks] == [False, True]
    assert found.settled == (went_on,)
    by_order = {name: np.array([ne_of(court.labels, row) for row in rows]) for name, rows in court.probs.items()}
    paired = 100 * (by_order["2"].mean() / by_order[BASELINE][:3].mean() - 1)
    assert dropped.ne_gain_pct == pytest.approx(paired), "against the baseline on the same orders"
    assert found.half_width_pct == pytest.approx(went_on.half_width_pct), "what could not win decides no width"
    assert found.detectable_pct.found == pytest.approx(went_on.half_width_pct)


def test_what_it_finds_is_json(court: Court) -> None:
    found = court.hears(0.1, 0.0)
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert Finals.of_json(data) == found
    assert {"trial", "role", "ne_gain_pct", "ci_low_pct", "ci_high_pct", "p_corrected", "qps_ratio", "qps_ratio_low",
            "search_ne_gain_pct", "verdict"} <= set(data["picks"][0])  # fmt: skip


def test_users_who_share_luck_widen_the_interval(court: Court) -> None:
    """The same predictions, once with rows that share a user's luck and once as if each row had its own."""
    users = np.asarray(court.log.clusters_N[court.log.windows["test"]])
    luck = np.random.default_rng(1).normal(0, 0.5, users.max() + 1)[users]
    noisy = Court._noisy
    court._noisy = lambda skill, rng: noisy(court, skill, rng) + (luck if skill else 0.0)  # type: ignore[method-assign]
    court.rng = np.random.default_rng(9)
    clustered = court.hears(1e-9).picks[0]
    court.rng = np.random.default_rng(9)
    court.log = replace(court.log, clusters_N=np.zeros(len(court.log), np.int32))
    single = court.hears(1e-9).picks[0]
    assert clustered.ne_gain_pct == pytest.approx(single.ne_gain_pct)
    width = {name: pick.ci_high_pct - pick.ci_low_pct for name, pick in (("c", clustered), ("s", single))}
    assert width["c"] > 1.1 * width["s"]


def test_few_days_as_clusters_are_few_degrees_of_freedom(court: Court) -> None:
    rows = court.log.windows["test"]
    two = np.zeros(len(court.log), np.int32)
    two[rows] = np.arange(rows.stop - rows.start) % 2
    by_user = court.hears(0.05).picks[0]
    court.log = replace(court.log, clusters_N=two)
    by_two = court.hears(0.05).picks[0]
    assert by_two.p_corrected > by_user.p_corrected


def test_kept_negatives_are_undone_before_anything_is_compared(court: Court) -> None:
    court.log = replace(court.log, negatives_kept=0.5)
    found = court.hears(0.1)
    weights = np.where(court.labels == 1, 1.0, 2.0)
    probs = {name: p / (p + (1 - p) / 0.5) for name, p in court.probs.items()}
    expected = {name: np.mean([ne_of(court.labels, row, weights) for row in rows]) for name, rows in probs.items()}
    assert found.baseline.ne == pytest.approx(expected[BASELINE])
    assert found.picks[0].ne == pytest.approx(expected["1"])


def test_weights_of_the_rows_count(court: Court) -> None:
    rows = court.log.windows["test"]
    weights = np.ones(len(court.log), np.float32)
    weights[rows] = np.random.default_rng(2).gamma(2.0, size=rows.stop - rows.start)
    court.log = replace(court.log, weights_N=weights)
    found = court.hears(0.1)
    base = np.mean([ne_of(court.labels, row, weights[rows].astype(np.float64)) for row in court.probs[BASELINE]])
    assert found.baseline.ne == pytest.approx(base)


def test_seeds_that_all_agree_leave_the_luck_of_the_examples(court: Court) -> None:
    first, one = court.logits[0], court._noisy(0.1, np.random.default_rng(3))
    court.logits = np.repeat(first[None, :], court.seeds, axis=0)
    court._noisy = lambda skill, rng: one  # type: ignore[method-assign]
    (pick,) = court.hears(0.1).picks
    difference = log_losses(court.labels, sigmoid(one)) - log_losses(court.labels, sigmoid(first))
    clusters = np.asarray(court.log.clusters_N[court.log.windows["test"]])
    rate = court.labels.mean()
    entropy = -len(court.labels) * (rate * math.log(rate) + (1 - rate) * math.log1p(-rate))
    std = examples_std(difference, np.ones(len(difference)), clusters, entropy)
    half = 0.5 * (pick.ci_high_pct - pick.ci_low_pct)
    base = ne_of(court.labels, sigmoid(first))
    assert half == pytest.approx(100 * 1.97 * std / base, rel=0.02)


# ---------------------------------------------------------------- days


@pytest.fixture
def daily_court(daily: tuple[Problem, EncodedLog], tmp_path: Path) -> Court:
    problem, log = daily
    return Court(problem, log, begun_study(tmp_path, space=problem.space))


def test_each_day_is_compared_on_its_own(daily_court: Court) -> None:
    found = daily_court.hears(0.15)
    log, start = daily_court.log, daily_court.log.windows["test"].start
    assert found.progressive
    assert [day.day for day in found.days] == ["2024-03-09", "2024-03-10", "2024-03-11"]
    (pick,) = found.picks
    for (_, rows), base, gain in zip(log.days("test"), found.days, pick.days, strict=True):
        here = slice(rows.start - start, rows.stop - start)
        labels = daily_court.labels[here]
        ne = {
            name: np.mean([ne_of(labels, row[here], np.ones(len(labels))) for row in probs])
            for name, probs in daily_court.probs.items()
        }
        assert (base.rows, gain.day) == (rows.stop - rows.start, base.day)
        assert base.ne == pytest.approx(ne[BASELINE])
        assert gain.ne_gain_pct == pytest.approx(100 * (ne["1"] / ne[BASELINE] - 1))
        assert gain.ci_low_pct < gain.ne_gain_pct < gain.ci_high_pct
    assert 0 < pick.examples_std_pct < pick.examples_std_first_day_pct, "days narrow the examples' part"


def test_a_day_of_one_class_has_no_gain(daily_court: Court) -> None:
    rows = daily_court.log.days("test")[1][1]
    labels = np.array(daily_court.log.labels_N)
    labels[rows] = 0.0
    daily_court.log = replace(daily_court.log, labels_N=labels)
    found = daily_court.hears(0.1)
    assert [math.isnan(day.ne_gain_pct) for day in found.picks[0].days] == [False, True, False]
    assert [math.isnan(day.ne) for day in found.days] == [False, True, False]
    json.dumps(found.to_json(), allow_nan=False)


def test_a_day_on_which_no_row_counts_has_no_gain(daily_court: Court) -> None:
    rows = daily_court.log.days("test")[1][1]
    weights = np.array(daily_court.log.weights_N)
    weights[rows] = 0.0
    daily_court.log = replace(daily_court.log, weights_N=weights)
    found = daily_court.hears(0.1)
    assert [math.isnan(day.ne_gain_pct) for day in found.picks[0].days] == [False, True, False]


def test_a_day_whose_rows_share_one_luck_has_no_interval(daily_court: Court) -> None:
    clusters = np.array(daily_court.log.clusters_N)
    for number, (_, rows) in enumerate(daily_court.log.days("test")):
        clusters[rows] = number
    daily_court.log = replace(daily_court.log, clusters_N=clusters)
    (pick,) = daily_court.hears(0.1).picks
    assert all(math.isnan(day.ci_low_pct) and not math.isnan(day.ne_gain_pct) for day in pick.days)
    assert math.isnan(pick.examples_std_first_day_pct)
    assert not math.isnan(pick.ci_low_pct)


def test_one_day_is_not_told_apart(court: Court) -> None:
    found = court.hears(0.1)
    assert (found.progressive, found.days, found.picks[0].days) == (False, (), ())
    assert found.picks[0].examples_std_first_day_pct == found.picks[0].examples_std_pct


def test_the_other_labels_are_judged_beside_the_verdict(court: Court) -> None:
    """The second label is the first one, known in half of the rows; what a pick gains there is told, and corrected
    over labels and picks."""
    alone = court.hears(0.15, -0.15)
    assert all(pick.tasks == () for pick in alone.picks)
    rows = court.log.windows["test"]
    labels_NT = np.stack([court.log.labels_N, court.log.labels_N], 1).astype(np.float32)
    labels_NT[::2, 1] = np.nan

    class Several(EncodedLog):
        def about(self, task: str | None) -> EncodedLog:
            return replace(several, label=task, labels_N=labels_NT[:, several.tasks.index(str(task))])

    values = {field.name: getattr(court.log, field.name) for field in fields(EncodedLog)}
    several = Several(**{**values, "labels_NT": labels_NT, "tasks": ("ctr", "cvr"), "label": "ctr"})
    court.log, known = several, ~np.isnan(labels_NT[rows, 1])
    beside = {"cvr": {name: probs[:, known] for name, probs in court.probs.items()}}
    chosen = [Pick(number, role, -0.1) for number, role in ((1, "accurate"), (2, "fast"))]
    found = judge(court.problem, several, Trained(court.probs, {}, beside), chosen, court.study, seeds=5)
    assert [replace(pick, tasks=(), qps_ratio=0, qps_ratio_low=0) for pick in found.picks] == [
        replace(pick, qps_ratio=0, qps_ratio_low=0) for pick in alone.picks
    ], "the verdicts are those of the objective alone"
    better, worse = (pick.tasks[0] for pick in found.picks)
    assert better.task == "cvr"
    base, of = (np.mean([ne_of(court.labels[known], p) for p in beside["cvr"][name]]) for name in (BASELINE, "1"))
    assert better.ne == pytest.approx(of)
    assert better.ne_gain_pct == pytest.approx(100 * (of / base - 1))
    assert (better.lost, worse.lost) == (False, True)
    assert found.baseline.nes is not None
    assert found.baseline.nes["cvr"] == pytest.approx(base)
    assert Finals.of_json(found.to_json()) == found
