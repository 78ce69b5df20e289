"""A family of studies in which nothing is better says "better" no more often than one study may."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from automl.stats.significance import NO_GAIN, verdict
from automl.stats.spending import level_of
from automl.stats.verdicts import LEVEL, Verdict

STUDIES = 8
Claims = NDArray[np.bool_]


def test_all_shares_together_are_the_level() -> None:
    shares = [level_of(place) for place in range(1, 20_001)]
    assert shares == sorted(shares, reverse=True)
    assert math.fsum(shares) < LEVEL
    assert math.fsum(shares) == pytest.approx(LEVEL, rel=1e-4)
    with pytest.raises(ValueError, match="at least 1"):
        level_of(0)


def test_studies_until_one_says_better_raise_no_false_claims() -> None:
    families = 500
    said = _claims(np.random.default_rng(0), families)
    alone, spent = (claims.any(axis=1).mean() for claims in said)
    assert alone > 2 * LEVEL, "each study at 5%, as they were"
    assert spent <= LEVEL


def test_what_is_better_by_far_is_still_found() -> None:
    _, spent = _claims(np.random.default_rng(1), 20, gain=-1.0)
    assert spent.all(), "by the eighth study too"


def _claims(rng: np.random.Generator, families: int, gain: float = 0.0) -> tuple[Claims, Claims]:
    """(families, studies): whether finals of two picks on four orders call one better, alone and in a family."""
    differences = gain + rng.normal(0, 0.02, (families, STUDIES, 2, 4))
    pct, error = differences.mean(-1), differences.std(-1, ddof=1) / 2
    p = 2 * stdtr(3, -np.abs(pct) / error)
    corrected = np.where(p == p.min(-1, keepdims=True), 2 * p, p)  # Holm over two
    found = np.empty((2, families, STUDIES), dtype=bool)
    for family, study in np.ndindex(families, STUDIES):
        picks = [
            replace(NO_GAIN, pct=m, high_pct=m + stdtrit(3, 0.975) * e, p_corrected=q)
            for m, e, q in zip(pct[family, study], error[family, study], corrected[family, study], strict=True)
        ]
        for k, level in enumerate((LEVEL, level_of(study + 1))):
            found[k, family, study] = any(verdict(pick, 1.0, 0.0, level) is Verdict.BETTER for pick in picks)
    return found[0], found[1]
