"""Intervals that keep their word, shown by replays in which the truth is known; and oracles where there are any."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import log_loss
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from automl.significance import Gain, detectable_pct, examples_std, gains, log_losses, pooled_std, verdict

Floats = NDArray[np.float64]
BASE, SEED_STD = 0.9, 1e-3
REPLAYS = 2500


@pytest.fixture(autouse=True)
def no_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """statsmodels collects all garbage at every call, which thousands of replays cannot afford."""
    monkeypatch.setattr("gc.collect", lambda *_: 0)


# ---------------------------------------------------------------- what is promised, by simulation


@dataclass
class Replays:
    """What came of many finals of the same truth."""

    covered: float  # share of intervals that hold the true gain
    claims: float  # share of finals with any pick called better
    worse: float  # share of finals with any pick called worse


def replay(
    true_K: Floats, seeds: int, rng: np.random.Generator, *, examples: float = 0.0, clusters: int | None = None
) -> Replays:
    """NE = truth + luck of the seed + luck of the examples, which all seeds of a model share."""
    covered, claims, worse = 0, 0, 0
    for _ in range(REPLAYS):
        ne = BASE + np.concatenate([[0.0], true_K])[:, None] + rng.normal(0, SEED_STD, (1 + len(true_K), seeds))
        spread, freedom = np.full(len(true_K), examples), math.inf
        luck = rng.normal(0, examples, len(true_K))
        if clusters is not None:  # the spread itself must be learned from few clusters
            parts = rng.normal(0, examples * math.sqrt(clusters), (len(true_K), clusters))
            luck, spread, freedom = parts.mean(1), parts.std(1, ddof=1) / math.sqrt(clusters), clusters - 1
        ne[1:] += luck[:, None]
        found = gains(ne[0], ne[1:], spread, freedom)
        covered += sum(gain.low_pct <= 100 * t / BASE <= gain.high_pct for gain, t in zip(found, true_K, strict=True))
        words = {verdict(gain, qps_ratio_low=1.0, margin_pct=0.2) for gain in found}
        claims, worse = claims + ("better" in words), worse + ("worse" in words)
    return Replays(covered / (REPLAYS * len(true_K)), claims / REPLAYS, worse / REPLAYS)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("examples", [0.0, 0.3 * SEED_STD, SEED_STD])
def test_where_nothing_is_better_nothing_is_claimed(seeds: int, examples: float) -> None:
    """Four picks that are the baseline in truth: at most 3% of finals may call any of them better."""
    found = replay(np.zeros(4), seeds, np.random.default_rng([seeds, int(1e6 * examples)]), examples=examples)
    assert found.claims <= 0.03 + 2 * math.sqrt(0.03 * 0.97 / REPLAYS)
    assert 0.94 <= found.covered <= 0.965


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_holds_the_truth_and_real_gains_are_found(seeds: int) -> None:
    true = np.array([-6e-3, -1e-3, 0.0, 2e-3])
    found = replay(true, seeds, np.random.default_rng(seeds), examples=3e-4)
    assert 0.94 <= found.covered <= 0.965
    assert found.claims > 0.98, "six times the seed spread is not missed"


@pytest.mark.parametrize(("clusters", "least"), [(3, 0.92), (10, 0.94)])
def test_few_clusters_widen_the_interval_by_what_is_not_known_of_them(clusters: int, least: float) -> None:
    found = replay(np.zeros(2), 3, np.random.default_rng(clusters), examples=SEED_STD, clusters=clusters)
    assert found.covered >= least
    assert found.claims <= 0.04


def test_rows_of_one_user_are_not_independent() -> None:
    """Loss differences share a user's luck: taken as independent rows the interval misses the truth far too often."""
    rng = np.random.default_rng(3)
    users, rows = 60, 10
    clusters = np.repeat(np.arange(users, dtype=np.int32), rows)
    each_its_own = np.arange(users * rows, dtype=np.int32)
    weights = np.ones(users * rows)
    inside = {"users": 0, "rows": 0}
    for _ in range(REPLAYS):
        difference = rng.normal(0, 0.05, users).repeat(rows) + rng.normal(0, 0.02, users * rows)
        error = difference.mean()  # the truth is 0
        for name, groups in (("users", clusters), ("rows", each_its_own)):
            std = examples_std(difference, weights, groups, entropy=float(users * rows))
            inside[name] += abs(error) <= 1.96 * std
    assert inside["users"] / REPLAYS > 0.925
    assert inside["rows"] / REPLAYS < 0.65


# ---------------------------------------------------------------- oracles


def test_one_pick_without_examples_luck_is_students_t_test() -> None:
    rng = np.random.default_rng(0)
    base, pick = BASE + rng.normal(0, SEED_STD, 5), BASE + rng.normal(-1e-3, SEED_STD, 5)
    (gain,) = gains(base, pick[None, :], np.zeros(1))
    test = stats.ttest_ind(pick, base)
    interval = test.confidence_interval(0.95)
    assert gain.p == pytest.approx(test.pvalue)
    assert gain.p_corrected == gain.p
    assert gain.pct == pytest.approx(100 * (pick.mean() - base.mean()) / base.mean())
    assert gain.low_pct == pytest.approx(100 * interval.low / base.mean())
    assert gain.high_pct == pytest.approx(100 * interval.high / base.mean())


def test_several_picks_are_a_regression_on_dummies() -> None:
    """One variance for all models, as in a one-way layout."""
    rng = np.random.default_rng(1)
    ne = BASE + np.array([0.0, -1e-3, 5e-4, 0.0])[:, None] + rng.normal(0, SEED_STD, (4, 3))
    design = np.column_stack([np.ones(12), *(np.repeat(np.arange(4), 3) == k for k in (1, 2, 3))]).astype(float)
    fit = OLS(ne.ravel(), design).fit()
    found = gains(ne[0], ne[1:], np.zeros(3))
    for gain, p, (low, high) in zip(found, fit.pvalues[1:], fit.conf_int()[1:], strict=True):
        assert gain.p == pytest.approx(p)
        assert (gain.low_pct, gain.high_pct) == pytest.approx((100 * low / ne[0].mean(), 100 * high / ne[0].mean()))


def test_examples_alone_are_a_normal_test() -> None:
    """Seeds that all agree leave the examples' luck, known from very many."""
    (gain,) = gains(np.full(3, BASE), np.full((1, 3), BASE - 2e-3), np.array([1e-3]))
    assert gain.p == pytest.approx(2 * stats.norm.sf(2.0))
    assert gain.high_pct - gain.pct == pytest.approx(100 * 1.959964e-3 / BASE, rel=1e-5)
    (few,) = gains(np.full(3, BASE), np.full((1, 3), BASE - 2e-3), np.array([1e-3]), 6)
    assert few.p == pytest.approx(2 * stats.t.sf(2.0, 6))


def test_two_sources_have_the_degrees_of_freedom_of_welch() -> None:
    """Against SciPy's Welch test, whose two samples are two sources of luck of the same kind."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 4), rng.normal(1, 3, 9)
    welch = stats.ttest_ind(a, b, equal_var=False)
    sources = [(x.var(ddof=1) / len(x), len(x) - 1) for x in (a, b)]
    wobble = sum(v**2 / f for v, f in sources)
    assert welch.df == pytest.approx(sum(v for v, _ in sources) ** 2 / wobble)
    seeds = BASE + 1e-3 * np.array([[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]])
    (gain,) = gains(seeds[0], seeds[1:] - 1e-3, np.array([8e-4]), 5)
    seed_part, example_part = 2 * 1e-6 / 3, 6.4e-7
    freedom = (seed_part + example_part) ** 2 / (seed_part**2 / 4 + example_part**2 / 5)
    assert gain.p == pytest.approx(2 * stats.t.sf(1e-3 / math.sqrt(seed_part + example_part), freedom))


def test_holm_is_statsmodels_and_keeps_the_order_of_the_picks() -> None:
    rng = np.random.default_rng(4)
    ne = BASE + np.array([0.0, 1e-3, -3e-3, -1e-3, -2e-3])[:, None] + rng.normal(0, SEED_STD, (5, 3))
    found = gains(ne[0], ne[1:], np.full(4, 2e-4))
    assert [gain.p_corrected for gain in found] == pytest.approx(
        multipletests([gain.p for gain in found], method="holm")[1]
    )
    by_p = sorted(found, key=lambda gain: gain.p)
    assert by_p[0].p_corrected == pytest.approx(min(1.0, 4 * by_p[0].p))
    assert [gain.p_corrected for gain in by_p] == sorted(gain.p_corrected for gain in by_p)
    assert all(gain.p_corrected >= gain.p for gain in found)
    assert [gain.pct < 0 for gain in found] == list(ne[1:].mean(1) < ne[0].mean())


def test_clustered_rows_are_statsmodels_robust_errors() -> None:
    """The standard error of a weighted mean, rows of a cluster summed first, up to the factor for few clusters."""
    rng = np.random.default_rng(5)
    clusters = rng.integers(0, 25, 400).astype(np.int32)
    difference = rng.normal(0, 0.1, 400) + rng.normal(0, 0.1, 25)[clusters]
    fit = OLS(difference, np.ones(400)).fit(cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False})
    std = examples_std(difference, np.ones(400), clusters, entropy=400.0)
    assert std == pytest.approx(float(fit.bse[0]) * math.sqrt(25 / 24))


def test_rows_of_their_own_are_the_usual_standard_error() -> None:
    rng = np.random.default_rng(6)
    difference = rng.normal(0.01, 0.2, 1000)
    std = examples_std(difference, np.ones(1000), np.arange(1000, dtype=np.int32), entropy=1000.0)
    assert std == pytest.approx(stats.sem(difference))
    third = examples_std(difference, np.full(1000, 3.0), np.arange(1000, dtype=np.int32), entropy=3000.0)
    assert third == pytest.approx(std), "weights all alike change nothing"


def test_log_losses_are_scikit_learns() -> None:
    rng = np.random.default_rng(7)
    labels, probs = rng.integers(0, 2, 50).astype(float), rng.random(50)
    assert log_losses(labels, probs).mean() == pytest.approx(log_loss(labels, probs))
    sure = log_losses(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    assert np.isfinite(sure).all()
    assert sure == pytest.approx(34.5, abs=0.1)
    two_seeds = log_losses(labels, np.stack([probs, probs[::-1]]))
    assert two_seeds.shape == (2, 50)


def test_pooled_std_is_the_residual_of_a_one_way_layout() -> None:
    groups = [np.array([1.0, 2.0, 4.0]), np.array([10.0, 11.0]), np.array([5.0])]
    design = np.zeros((6, 3))
    design[range(6), [0, 0, 0, 1, 1, 2]] = 1
    assert pooled_std(groups) == pytest.approx(math.sqrt(OLS(np.concatenate(groups), design).fit().mse_resid))
    assert math.isnan(pooled_std([np.array([1.0])]))
    assert math.isnan(pooled_std([]))


# ---------------------------------------------------------------- properties


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30), st.floats(0, 5e-3), st.floats(0, 5e-3))
def test_more_luck_of_the_examples_is_a_wider_interval(seed: int, one: float, two: float) -> None:
    assume(abs(one - two) > 1e-6)
    ne = BASE + np.random.default_rng(seed).normal(0, SEED_STD, (3, 3))
    ends = [gains(ne[0], ne[1:2], np.array([e]))[0] for e in (min(one, two), max(one, two), 1.0)]
    narrow, wide, widest = (gain.high_pct - gain.low_pct for gain in ends)
    assert widest > wide > 0.9 * narrow, "hardly ever narrower: with more luck that is known there is more freedom"


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30), st.floats(0.1, 10.0))
def test_gains_do_not_hang_on_the_scale_of_ne(seed: int, scale: float) -> None:
    ne = BASE + np.random.default_rng(seed).normal(0, SEED_STD, (4, 3))
    a, b = gains(ne[0], ne[1:], np.full(3, 1e-3)), gains(scale * ne[0], scale * ne[1:], np.full(3, scale * 1e-3))
    for one, two in zip(a, b, strict=True):
        assert (one.pct, one.low_pct, one.high_pct) == pytest.approx((two.pct, two.low_pct, two.high_pct), abs=1e-9)
        assert (one.p, one.p_corrected) == pytest.approx((two.p, two.p_corrected))


def test_models_that_never_differ_are_certain() -> None:
    same, lower = gains(np.full(2, BASE), np.array([[BASE, BASE], [BASE - 1e-3] * 2]), np.zeros(2))
    assert (same.low_pct, same.high_pct, same.p) == (0.0, 0.0, 1.0)
    assert lower.low_pct == lower.high_pct < 0
    assert lower.p == 0.0


def test_no_picks_no_gains() -> None:
    assert gains(np.array([0.9, 0.91]), np.zeros((0, 2)), np.zeros(0)) == ()


@pytest.mark.parametrize("ne", [[[0.9], [0.9]], [[0.9, math.nan], [0.9, 0.9]], [[0.9, 0.9], [0.9, math.inf]]])
def test_one_seed_or_no_number_is_refused(ne: list[list[float]]) -> None:
    table = np.array(ne)
    with pytest.raises(ValueError, match="at least two seeds with finite NE"):
        gains(table[0], table[1:], np.zeros(1))


def test_one_cluster_tells_nothing() -> None:
    with pytest.raises(ValueError, match="at least two clusters"):
        examples_std(np.ones(3), np.ones(3), np.zeros(3, np.int32), 1.0)


# ---------------------------------------------------------------- verdicts


LOOKS = Gain(pct=-0.3, low_pct=-0.5, high_pct=-0.1, p=0.01, p_corrected=0.03)


@pytest.mark.parametrize(
    ("changes", "qps_low", "word"),
    [
        ({}, 1.0, "better"),
        ({}, 3.0, "better"),
        ({"p_corrected": 0.05}, 1.0, "no better"),
        ({"p_corrected": 0.05}, 1.06, "faster"),
        ({"high_pct": 0.0, "p_corrected": 0.01}, 1.0, "no better"),
        ({"high_pct": 0.2, "pct": 0.0}, 1.0501, "faster"),
        ({"high_pct": 0.2, "pct": 0.0}, 1.05, "no better"),
        ({"high_pct": 0.21, "pct": 0.0}, 3.0, "no better"),
        ({"low_pct": 0.01, "pct": 0.1, "high_pct": 0.19}, 2.0, "faster"),
        ({"low_pct": 0.01, "pct": 0.1, "high_pct": 0.3}, 2.0, "worse"),
        ({"low_pct": 0.01, "pct": 0.1, "high_pct": 0.19}, 1.0, "worse"),
        ({"low_pct": 0.0, "pct": 0.1, "high_pct": 0.3}, 1.0, "no better"),
    ],
)
def test_verdicts(changes: dict[str, float], qps_low: float, word: str) -> None:
    assert verdict(replace(LOOKS, **changes), qps_low, margin_pct=0.2) == word


# ---------------------------------------------------------------- what can be seen at all


def test_detectable_is_the_half_width_of_the_seeds_part() -> None:
    """Four models whose pooled spread is exactly 0.11% of NE."""
    for seeds in (2, 3, 5):
        pattern = np.linspace(-1, 1, seeds)
        ne = BASE * (1 + 0.0011 * np.tile(pattern / pattern.std(ddof=1), (4, 1)))
        (gain, *_) = gains(ne[0], ne[1:], np.zeros(3))
        assert detectable_pct(0.11, seeds) == pytest.approx(gain.high_pct - gain.pct)
    assert detectable_pct(0.11, 5) == pytest.approx(0.1475, abs=1e-3)


def test_more_seeds_detect_less_and_it_grows_with_the_spread() -> None:
    found = [detectable_pct(0.1, seeds) for seeds in range(2, 20)]
    assert found == sorted(found, reverse=True)
    assert detectable_pct(0.2, 5) == pytest.approx(2 * detectable_pct(0.1, 5))


def test_a_detectable_gain_is_found_about_half_the_time() -> None:
    rng = np.random.default_rng(8)
    true = -detectable_pct(100 * SEED_STD / BASE, 5) * BASE / 100
    below = sum(
        gains(ne[0], ne[1:], np.zeros(3))[0].high_pct < 0
        for _ in range(400)
        for ne in [BASE + np.array([[0.0], [true], [0.0], [0.0]]) + rng.normal(0, SEED_STD, (4, 5))]
    )
    assert 0.4 < below / 400 < 0.6
