"""The level of a claim where studies are made one after the other until one succeeds.

A test at 5% in each of twenty studies says "better" of nothing in two of five such rows of studies. In a family the
level is spent: the i-th study tests at LEVEL * 6 / (pi^2 i^2). All shares together are LEVEL, however many studies
follow, so by Bonferroni's inequality the chance of any false claim in the family is at most LEVEL: whatever the studies
share, and whoever decides, from what was found, that there is to be another. This is alpha-spending for a sequence of
unknown length (Foster and Stine 2008; Tian and Ramdas, Online control of the familywise error rate, arXiv 1910.04900).
"""

from __future__ import annotations

import math

from automl.stats.verdicts import LEVEL


def level_of(place: int) -> float:
    """Of the study at a place of its family, from 1: 3.0%, 0.76%, 0.34%, 0.19% and so on.

    Raises:
        ValueError: where the place is below 1.
    """
    if place < 1:
        raise ValueError(f"a place in a family must be at least 1, but found {place}")
    return LEVEL * 6.0 / (math.pi * place) ** 2
