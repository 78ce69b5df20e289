"""Intervals that keep their word, shown by replays in which the truth is known; and oracles where there are any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import log_loss
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from automl.stats.significance import (
    Gain,
    corrected_with,
    detectable_pct,
    examples_std,
    gains,
    log_losses,
    seeds_wanted,
    verdict,
)

Floats = NDArray[np.float64]
BASE, SEED_STD = 0.9, 1e-3
REPLAYS = 2500


# ---------------------------------------------------------------- what is promised, by simulation


@dataclass
class Replays:
    """What came of many finals of the same truth."""

    covered: Floats  # share of intervals that hold the true gain, by pick
    claims: float  # share of finals with any pick called better
    found: Floats  # share of finals in which it is called better, by pick


def replay(
    true_K: Floats,
    seeds: int,
    rng: np.random.Generator,
    *,
    examples: float = 0.0,
    clusters: int | None = None,
    spread_K: Sequence[float] | None = None,
) -> Replays:
    """NE = truth + what the order of the data does to all models + luck of the seed + luck of the examples.

    Luck of the examples is shared by all seeds of a model. `spread_K`: how noisy each pick is against the baseline.
    """
    picks = len(true_K)
    scale = SEED_STD * np.array([1.0, *(spread_K or [1.0] * picks)])
    covered, found, claims = np.zeros(picks), np.zeros(picks), 0
    for _ in range(REPLAYS):
        order = rng.normal(0, 5 * SEED_STD, seeds)
        ne = (
            BASE
            + np.concatenate([[0.0], true_K])[:, None]
            + order
            + rng.normal(0, 1, (1 + picks, seeds)) * scale[:, None]
        )
        known, freedom = np.full(picks, examples), math.inf
        luck = rng.normal(0, examples, picks)
        if clusters is not None:  # the spread itself must be learned from few clusters
            parts = rng.normal(0, examples * math.sqrt(clusters), (picks, clusters))
            luck, known, freedom = parts.mean(1), parts.std(1, ddof=1) / math.sqrt(clusters), clusters - 1
        ne[1:] += luck[:, None]
        judged = gains(ne[0], ne[1:], known, freedom)
        base = ne[0].mean()
        covered += [gain.low_pct <= 100 * t / base <= gain.high_pct for gain, t in zip(judged, true_K, strict=True)]
        called = np.array([verdict(gain, qps_ratio_low=1.0, margin_pct=0.2) == "better" for gain in judged])
        found, claims = found + called, claims + called.any()
    return Replays(covered / REPLAYS, claims / REPLAYS, found / REPLAYS)


LUCK = 2 * math.sqrt(0.03 * 0.97 / REPLAYS)  # of a share near 3% over the replays


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("examples", [0.0, 0.3 * SEED_STD, 2 * SEED_STD])
def test_where_nothing_is_better_nothing_is_claimed(seeds: int, examples: float) -> None:
    """Four picks that are the baseline in truth: at most 3% of finals may call any of them better."""
    found = replay(np.zeros(4), seeds, np.random.default_rng([seeds, int(1e6 * examples)]), examples=examples)
    assert found.claims <= 0.03 + LUCK
    assert (found.covered >= 0.935).all()
    assert examples > 0 or (found.covered <= 0.965).all(), "and not by making it wide"


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_noisy_model_is_not_judged_by_the_calm_of_the_others(seeds: int) -> None:
    """Large models are noisier; with one variance for all their lucky ones would be called better in 7% of finals."""
    found = replay(np.zeros(4), seeds, np.random.default_rng(seeds), spread_K=[6.0, 1.0, 1.0, 1.0])
    assert found.claims <= 0.03 + LUCK
    assert (found.covered >= 0.935).all()


def test_the_interval_holds_the_truth_and_real_gains_are_found() -> None:
    true = np.array([-6e-3, -1e-3, 0.0, 2e-3])
    found = replay(true, 5, np.random.default_rng(5), examples=3e-4)
    assert (found.covered >= 0.94).all()
    assert found.found[0] > 0.97, "six times the seed spread is not missed with five seeds"
    assert found.found[2] + found.found[3] < 0.03


@pytest.mark.parametrize(("clusters", "least"), [(2, 0.93), (10, 0.94)])
def test_few_clusters_widen_the_interval_by_what_is_not_known_of_them(clusters: int, least: float) -> None:
    found = replay(np.zeros(2), 3, np.random.default_rng(clusters), examples=SEED_STD, clusters=clusters)
    assert (found.covered >= least).all()
    assert found.claims <= 0.03 + LUCK


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


def test_a_model_with_fewer_orders_is_compared_on_its_own() -> None:
    rng = np.random.default_rng(8)
    ne = BASE + rng.normal(0, SEED_STD, (3, 6))
    found = gains(ne[0], [ne[1], ne[2][:3]], np.array([2e-4, 3e-4]), 30)
    alone = [
        gains(ne[0], ne[1:2], np.array([2e-4]), 30)[0],
        gains(ne[0][:3], [ne[2][:3]], np.array([3e-4]), 30)[0],
    ]
    for one, other in zip(found, alone, strict=True):
        assert replace(one, p_corrected=0.0) == replace(other, p_corrected=0.0)
    assert [gain.orders for gain in found] == [6, 3]


def test_without_luck_of_the_examples_it_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    ne = BASE + np.array([0.0, -1e-3, 5e-4])[:, None] + rng.normal(0, 3e-3, 4) + rng.normal(0, SEED_STD, (3, 4))
    for gain, pick in zip(gains(ne[0], ne[1:], np.zeros(2)), ne[1:], strict=True):
        test = stats.ttest_rel(pick, ne[0])
        interval = test.confidence_interval(0.95)
        assert gain.p == pytest.approx(test.pvalue)
        assert gain.pct == pytest.approx(100 * (pick.mean() - ne[0].mean()) / ne[0].mean())
        assert gain.low_pct == pytest.approx(100 * interval.low / ne[0].mean())
        assert gain.high_pct == pytest.approx(100 * interval.high / ne[0].mean())


def test_an_order_that_is_hard_for_all_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    ne = BASE + rng.normal(0, SEED_STD, (3, 5))
    hard = rng.normal(0, 0.05, 5)
    for one, two in zip(
        gains(ne[0], ne[1:], np.zeros(2)), gains(ne[0] + hard, ne[1:] + hard, np.zeros(2)), strict=True
    ):
        assert one.p == pytest.approx(two.p)


def test_luck_of_the_examples_alone_is_a_normal_or_a_students_test() -> None:
    """Seeds that all agree leave the examples' luck, known from very many or from few clusters."""
    flat = np.full(3, BASE), np.full((1, 3), BASE - 2e-3), np.array([1e-3])
    (many,), (few,) = gains(*flat), gains(*flat, 6)
    assert many.p == pytest.approx(2 * stats.norm.sf(2.0))
    assert many.high_pct - many.pct == pytest.approx(100 * 1.959964e-3 / BASE, rel=1e-5)
    assert few.p == pytest.approx(2 * stats.t.sf(2.0, 6))
    assert few.high_pct - few.pct == pytest.approx(100 * stats.t.ppf(0.975, 6) * 1e-3 / BASE)


def test_both_together_are_cochran_and_cox() -> None:
    """Student's quantiles of both sources, each by its share of the variance; p is where the interval touches 0."""
    difference = np.array([-2e-3, -1e-3, 0.0])
    (gain,) = gains(np.full(3, BASE), (BASE + difference)[None, :], np.array([8e-4]), 5)
    seeds, examples = difference.var(ddof=1) / 3, 6.4e-7

    def half(p: float) -> float:
        of_each = seeds * stats.t.isf(p / 2, 2) + examples * stats.t.isf(p / 2, 5)
        return float(100 * of_each / math.sqrt(seeds + examples) / BASE)

    assert gain.high_pct - gain.pct == pytest.approx(half(0.05))
    assert gain.pct - gain.low_pct == pytest.approx(half(0.05))
    assert half(gain.p) == pytest.approx(abs(gain.pct))


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 1 << 30), st.floats(0, 3e-3), st.integers(2, 6))
def test_p_and_interval_tell_the_same(seed: int, examples: float, seeds: int) -> None:
    """Of one comparison: the interval leaves out 0 where p is below 5%."""
    ne = BASE + np.random.default_rng(seed).normal(0, SEED_STD, (2, seeds))
    (gain,) = gains(ne[0], ne[1:], np.array([examples]), 9)
    assert (gain.low_pct > 0 or gain.high_pct < 0) is (gain.p < 0.05)
    assert 0 < gain.p <= 1


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
    more = corrected_with(found, [0.001, 1.0])
    assert [gain.p_corrected for gain in more] == pytest.approx(
        multipletests([*(gain.p for gain in found), 0.001, 1.0], method="holm")[1][:4]
    )
    assert (corrected_with(found, []), corrected_with((), [0.1])) == (found, ())


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


# ---------------------------------------------------------------- properties


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30), st.floats(0, 5e-3), st.floats(1e-4, 5e-3))
def test_much_more_luck_of_the_examples_is_a_wider_interval(seed: int, examples: float, more: float) -> None:
    ne = BASE + np.random.default_rng(seed).normal(0, SEED_STD, (2, 5))
    ends = [gains(ne[0], ne[1:], np.array([e]))[0] for e in (examples, 2 * examples + more + 5 * SEED_STD)]
    narrow, wide = (gain.high_pct - gain.low_pct for gain in ends)
    assert wide > narrow


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
    (far,) = gains(np.array([BASE, BASE + 1e-12]), np.array([[BASE - 1e-3] * 2]), np.zeros(1))
    assert 0 < far.p < 1e-6


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


LOOKS = Gain(
    pct=-0.3,
    low_pct=-0.5,
    high_pct=-0.1,
    p=0.01,
    p_corrected=0.03,
    orders=5,
    order_std_pct=0.1,
    examples_std_pct=0.05,
    examples_freedom=math.inf,
)


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


@pytest.mark.parametrize("examples", [0.0, 4e-4])
def test_detectable_is_the_half_width(examples: float) -> None:
    for seeds in (2, 3, 5):
        pattern = np.linspace(-1, 1, seeds)
        difference = 0.0011 * BASE * pattern / pattern.std(ddof=1)
        (gain,) = gains(np.full(seeds, BASE), [BASE + difference], np.array([examples]), 12)
        found = detectable_pct(0.11, seeds, 100 * examples / BASE, 12)
        assert found == pytest.approx(gain.half_width_pct)
    assert detectable_pct(math.sqrt(2) * 0.11, 5) == pytest.approx(0.193, abs=1e-3)
    assert detectable_pct(0.0, 5) == 0.0


def test_more_seeds_detect_less_and_it_grows_with_the_spread() -> None:
    found = [detectable_pct(0.1, seeds) for seeds in range(2, 20)]
    assert found == sorted(found, reverse=True)
    assert detectable_pct(0.2, 5) == pytest.approx(2 * detectable_pct(0.1, 5))


def test_a_detectable_gain_is_found_about_half_the_time() -> None:
    rng = np.random.default_rng(8)
    true = -detectable_pct(100 * math.sqrt(2) * SEED_STD / BASE, 5) * BASE / 100
    below = sum(
        gains(ne[0], ne[1:], np.zeros(1))[0].high_pct < 0
        for _ in range(400)
        for ne in [BASE + np.array([[0.0], [true]]) + rng.normal(0, SEED_STD, (2, 5))]
    )
    assert 0.4 < below / 400 < 0.65


def test_wanted_seeds_bring_every_interval_to_the_margin() -> None:
    rng = np.random.default_rng(4)
    found = gains(BASE + rng.normal(0, SEED_STD, 5), BASE + rng.normal(0, SEED_STD, (2, 5)), np.full(2, 0.0002))
    halves = [0.5 * (gain.high_pct - gain.low_pct) for gain in found]
    wanted = seeds_wanted(found, max(halves))
    assert wanted is not None
    assert wanted <= 5, "the seeds that were run reach their own width"
    more = seeds_wanted(found, 0.5 * max(halves))
    assert more is not None
    assert more > 5


def test_no_number_of_seeds_mends_too_few_examples() -> None:
    (gain,) = gains(np.full(3, BASE), np.full((1, 3), BASE), np.full(1, 0.005 * BASE))
    assert seeds_wanted([gain], 0.2) is None
