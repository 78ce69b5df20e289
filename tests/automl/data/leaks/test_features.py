from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from automl.data.leaks.features import feature_leak
from automl.data.leaks.sample import Column, Sample
from tests.automl.data.leaks.worlds import clicks, with_dense, with_ids

SAMPLE = clicks()
POSITIVE = SAMPLE.positive_N
RNG = np.random.default_rng(5)
ROWS = len(SAMPLE)


def told(sample: Sample) -> str | None:
    (column,) = sample.columns
    note = feature_leak(column, sample)
    if note is None:
        return None
    assert note.kind == "leak"
    assert note.at == ("features", column.kind, column.name)
    return note.text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.where(POSITIVE, RNG.gamma(2.0, 4000.0, ROWS), 0.0), "rows above 0 are positive in 100% and hold 100% of"),
        (-np.where(POSITIVE, RNG.gamma(2.0, 9.0, ROWS), 0.0), "are positive in 100% and hold 100% of the positives"),
        (np.where(POSITIVE, 1.0, np.nan), "rows up to 1 are positive in 100%"),
        (np.where(POSITIVE, np.nan, RNG.random(ROWS)), "or missing are positive in 100%"),
        (np.where(POSITIVE, 3, RNG.choice([1, 2, 4, 5], ROWS)), "some values are positive in 100%"),
    ],
    ids=["dwell", "falling", "given", "missing", "neither high nor low"],
)
def test_what_tells_the_label_almost_alone(values: NDArray[np.generic], words: str) -> None:
    text = told(with_dense(SAMPLE, {"extra": values}))
    assert text is not None
    assert text.startswith("extra tells the label almost alone: ")
    assert words in text
    assert text.endswith("known only after it? Leave it out, if so")


def test_an_id_that_tells_the_label() -> None:
    text = told(with_ids(SAMPLE, {"state": np.where(POSITIVE, RNG.integers(1, 4, ROWS), RNG.integers(4, 9, ROWS))}))
    assert text is not None
    assert "some values are positive in 100% and hold 100% of the positives, the rest is positive in 0%" in text


def test_set_on_positives_only() -> None:
    flag = POSITIVE & (RNG.random(ROWS) < 0.05)
    share, recall = flag.mean(), flag.sum() / POSITIVE.sum()
    text = told(with_dense(SAMPLE, {"thanks": flag}))
    assert text == (
        f"thanks is set in {share:.1%} of the training rows, and 100% of these are positive (of all rows "
        f"{POSITIVE.mean():.1%}; they hold {recall:.1%} of that class): known only after it? Leave it out, if so"
    )


def test_set_on_negatives_only() -> None:
    skipped = ~POSITIVE & (RNG.random(ROWS) < 0.1)
    text = told(with_ids(SAMPLE, {"reason": np.where(skipped, RNG.integers(1, 4, ROWS), 0)}))
    assert text is not None
    assert text.startswith("reason is given in ")
    assert "100% of these are negative" in text


def test_a_number_has_a_usual_value() -> None:
    filled = np.where(POSITIVE & (RNG.random(ROWS) < 0.1), RNG.random(ROWS), -1.0)
    text = told(with_dense(SAMPLE, {"seconds": np.where(RNG.random(ROWS) < 0.3, np.nan, filled)}))
    assert text is not None
    assert text.startswith("seconds is not -1 in ")


def test_an_id_has_a_usual_value() -> None:
    text = told(with_ids(SAMPLE, {"state": 1 + (POSITIVE & (RNG.random(ROWS) < 0.1))}))
    assert text is not None
    assert text.startswith("state is not v1 in ")


def liked(odds: float) -> NDArray[np.bool_]:
    """A flag of about 2% of the rows, which clicks are more likely to have."""
    rate = np.where(POSITIVE, 0.02 * odds, 0.02 * (1 - 0.2 * odds) / 0.8)
    return RNG.random(ROWS) < rate


def test_a_name_of_feedback_needs_an_event_as_well() -> None:
    flag = liked(1.0)
    assert told(with_dense(SAMPLE, {"from_push": flag})) is None
    text = told(with_dense(SAMPLE, {"is_like": flag}))
    assert text is not None
    assert text.startswith("is_like is named like feedback, and set in ")
    assert told(with_dense(SAMPLE, {"is_like": flag}, joined=True)) is None, "an attribute of its key"
    of_user = (np.arange(2000) % 20 == 0)[SAMPLE.keys[0].codes_N]
    assert told(with_dense(SAMPLE, {"likes": of_user})) is None, "a trait of the user"
    assert told(with_dense(SAMPLE, {"order_value": RNG.gamma(2.0, 1.0, ROWS)})) is None, "set everywhere"


def test_a_strong_event_needs_no_name() -> None:
    sure = (RNG.random(ROWS) < np.where(POSITIVE, 0.09, 0.003)).astype(bool)
    text = told(with_dense(SAMPLE, {"x17": sure}))
    assert text is not None
    assert "as an event and not as a trait" in text


@pytest.mark.parametrize("base", [0.01, 0.2, 0.6])
def test_honest_features_are_left_alone(base: float) -> None:
    sample = clicks(base=base, seed=3)
    rng = np.random.default_rng(6)
    rows, user = len(sample), sample.keys[0].codes_N
    taste = np.bincount(user, sample.positive_N, 1001)[user] > 3
    dense = {
        "noise": rng.normal(size=rows),
        "gaps": np.where(rng.random(rows) < 0.9, np.nan, rng.normal(size=rows)),
        "hint": sample.positive_N + rng.normal(0, 1.0, rows),
        "rare": rng.random(rows) < np.where(sample.positive_N, 0.03, 0.01),
        "constant": np.ones(rows),
        "none": np.full(rows, np.nan),
    }
    ids = {"user": user, "taste": 1 + taste, "alone": np.arange(1, rows + 1), "none": np.zeros(rows, np.int32)}
    for column in (*with_dense(sample, dense).columns, *with_ids(sample, ids).columns):
        assert feature_leak(column, sample) is None, column.name


def test_columns_are_read_from_records() -> None:
    """Views of a record array, with a vocabulary much longer than the sample."""
    records = np.zeros(ROWS, [("x", "i4", (2,)), ("y", "f8", (2,))])
    records["x"][:, 1] = np.where(POSITIVE, 2_000_000_000, 1_999_999_999)
    records["y"][:, 0] = POSITIVE
    for column in (Column("a", "categorical", records["x"][:, 1]), Column("b", "dense", records["y"][:, 0])):
        assert feature_leak(column, SAMPLE) is not None
