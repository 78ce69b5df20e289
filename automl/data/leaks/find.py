"""What gives the label away in a training window, told by evidence: a note for each column, with numbers."""

from __future__ import annotations

from dataclasses import replace

from automl.data.leaks.clock import clock_leaks
from automl.data.leaks.features import feature_leak
from automl.data.leaks.future import future_leak, groups_of
from automl.data.leaks.sample import Sample
from automl.data.store.told import Note

ROWS = 1 << 18  # are looked at, at most: the last ones of the training window
_CLASS = 30  # rows that each class must have


def find_leaks(sample: Sample) -> list[Note]:
    """Notes of the kind `leak`: features in the order of the study, then the time and the order of the rows.

    A feature is told of once, by what gives it away most plainly. Nothing is found in a window that holds fewer than 30
    rows of a class.
    """
    positives = int(sample.positive_N.sum())
    if min(positives, len(sample) - positives) < _CLASS:
        return []
    groups = groups_of(sample)
    found = [
        feature_leak(column, sample) or future_leak(column, groups, sample.positive_N)
        for column in map(replace, sample.columns)  # copies: their arrays go with them
    ]
    return [*(note for note in found if note is not None), *clock_leaks(sample)]
