"""Scores of a window: in order, however it is parted, and refused where they are not numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl.ranking.features import Features, read
from automl.ranking.model import RankingModel, build_model
from automl.ranking.progress import Diverged
from automl.ranking.scoring import (
    CHECKED_AT_ONCE,
    FEWEST_STRETCHES,
    check,
    evaluate,
    logits_of,
    probabilities_of,
    score,
    spread,
)
from automl.stats.metrics import NESums, auc
from tests.worlds.models import Log, planted, spec


@pytest.fixture(scope="module")
def log() -> Log:
    return planted()


def model_of(log: Log) -> RankingModel:
    return build_model(spec(), log.inputs, seed=1)


@pytest.mark.parametrize("at_once", [1, 333, 6000])
def test_a_window_scores_in_order_however_it_is_parted(log: Log, at_once: int) -> None:
    whole = score(model_of(log), log, slice(0, 6000), at_once=6000)
    rows = slice(7, 5001) if at_once > 1 else slice(7, 50)
    np.testing.assert_allclose(score(model_of(log), log, rows, at_once=at_once), whole[rows], rtol=1e-5)
    assert whole.dtype == np.float64
    assert score(model_of(log), log, slice(5, 5)).shape == (0,)


def test_logits_of_parts_are_those_of_the_rows(log: Log) -> None:
    features = read(log, slice(0, 500))
    seen: list[int] = []

    def serve(part: Features) -> torch.Tensor:
        seen.append(len(part))
        return part.ids_BF.sum(1).double()

    logits = logits_of(serve, features.parts(200))
    assert seen == [200, 200, 100]
    assert logits.tolist() == log.ids_NF[:500].sum(1).tolist()
    np.testing.assert_allclose(probabilities_of(logits), 1 / (1 + np.exp(-logits.numpy())))


def test_a_window_is_worth_what_its_predictions_are(log: Log) -> None:
    rows = slice(5000, 6000)
    probs_N, labels_N, weights_N = score(model_of(log), log, rows), log.labels_N[rows], log.weights_N[rows]
    scores, sums = evaluate(model_of(log), log, rows), NESums.of(labels_N, probs_N, weights_N)
    assert (scores.ne, scores.calibration) == (sums.ne, sums.calibration)
    assert scores.auc == auc(labels_N, probs_N, weights_N)
    kept = evaluate(model_of(log), log, rows, negatives_kept=0.5)
    assert kept.ne == NESums.of(labels_N, probs_N, weights_N, negatives_kept=0.5).ne


def test_predictions_that_are_not_numbers_are_found(log: Log) -> None:
    model = model_of(log)
    model.head.weight.data.fill_(torch.nan)
    with pytest.raises(Diverged, match="not finite"):
        evaluate(model, log, slice(5000, 6000))


def test_a_check_is_the_ne_of_its_rows(log: Log) -> None:
    model, window = model_of(log), slice(1000, 6000)
    rows = np.concatenate([np.arange(span.start, span.stop) for span in spread(window, 3 * CHECKED_AT_ONCE)])
    assert (rows[0], rows[-1], len(np.unique(rows))) == (1000, 5999, 3 * CHECKED_AT_ONCE)
    scored = score(model, log, slice(0, 6000))[rows]
    found = check(model, log, window, 3 * CHECKED_AT_ONCE)
    assert found == pytest.approx(NESums.of(log.labels_N[rows], scored, log.weights_N[rows]).ne, rel=1e-6)
    assert model.training, "it goes on training"


@given(st.integers(0, 10**6), st.integers(1, 20_000), st.integers(1, 9_000))
def test_a_check_is_spread_over_its_window(start: int, size: int, count: int) -> None:
    window = slice(start, start + size)
    spans = spread(window, count)
    rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    assert (rows[0], rows[-1]) == (window.start, window.stop - 1) or count == 1
    assert len(np.unique(rows)) == len(rows), "no row is scored twice"
    assert min(count, size) * 0.9 < len(rows) + 1 <= min(count, size) + 1
    if count < size:
        assert len(spans) >= min(count, FEWEST_STRETCHES)
        gaps = np.diff([span.start for span in spans])
        assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1, "evenly"


@pytest.mark.parametrize(
    ("count", "stretches", "length"), [(62, 20, 3), (562, 16, 35), (4096, 16, 256), (8192, 32, 256)]
)
def test_few_rows_are_spread_as_far_as_many(count: int, stretches: int, length: int) -> None:
    spans = spread(slice(0, 10_000), count)
    assert [len(spans), *{span.stop - span.start for span in spans}] == [stretches, length]


def test_a_check_takes_no_more_rows_than_there_are() -> None:
    assert spread(slice(10, 20), 1000) == [slice(10, 20)]
    assert spread(slice(10, 20), 0) == []
    assert spread(slice(10, 10), 5) == []
    assert check(model_of(planted()), planted(), slice(0, 100), 0) is None
