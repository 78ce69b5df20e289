"""Scores of a window: in order, however it is parted, and refused where they are not numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from automl.ranking.features import Features, read
from automl.ranking.model import RankingModel, build_model
from automl.ranking.progress import Diverged
from automl.ranking.scoring import CHECKED_AT_ONCE, check, evaluate, logits_of, probabilities_of, score, spread
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
    spans = spread(window, 3 * CHECKED_AT_ONCE)
    rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    assert (rows[0], rows[-1], len(np.unique(rows))) == (1000, 5999, 3 * CHECKED_AT_ONCE)
    scored = score(model, log, slice(0, 6000))[rows]
    found = check(model, log, window, 3 * CHECKED_AT_ONCE)
    assert found == pytest.approx(NESums.of(log.labels_N[rows], scored, log.weights_N[rows]).ne, rel=1e-6)
    assert model.training, "it goes on training"


def test_a_check_takes_no_more_rows_than_there_are() -> None:
    assert spread(slice(10, 20), 1000) == [slice(10, 20)]
    assert spread(slice(10, 20), 4) == [slice(10, 14)]
    assert spread(slice(10, 20), 0) == []
    assert check(model_of(planted()), planted(), slice(0, 100), 0) is None
