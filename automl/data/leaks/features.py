"""Features that are known only after the label: they tell it almost alone, or are set only where it is so.

Shapes: N rows, V values.
"""

from __future__ import annotations

import numpy as np

from automl.data.leaks.evidence import Split, best_cut, best_values, binned, part_of
from automl.data.leaks.names import FEEDBACK
from automl.data.leaks.sample import Column, Flags, Key, Sample
from automl.data.leaks.words import class_words, number, share
from automl.data.store.told import Note

# The strongest honest features seen explain this much of the label's entropy: an app's tab .07 of clicks, a user .13 of
# likes, how often it was bought before .18 of whether a product is bought again. Play time explains .88 of clicks.
_ALONE = 0.4
_PURE, _PURE_ODDS = 0.9, 10.0  # of the rows where it is set, for sure
_MOSTLY, _UNLIKE = 0.75, 4.0  # the same, where it is an event besides
_RARE, _AGAIN = 0.2, 0.5  # of an event: set in so few rows, and not so often again in the next row of a key
_LEAST = 20  # rows where it is set
_MOST_UNSET = 0.5

_ASK = "known only after it? Leave it out, if so"


def feature_leak(column: Column, sample: Sample) -> Note | None:
    """The strongest thing that speaks against a feature; None where nothing does."""
    text = _alone(column, sample)
    for set_N, words in _when_set(column) if text is None else ():
        text = text or _set_only(column, sample, set_N, words)
    return None if text is None else Note(f"{column.name} {text}", "leak", column.at)


def _alone(column: Column, sample: Sample) -> str | None:
    """One threshold, or one set of values, that says almost what the label is."""
    positive_N = sample.positive_N
    if column.kind == "dense":
        cut = best_cut(column.numbers, positive_N)
        if cut.told >= _ALONE:
            side = f"{'above' if cut.above else 'up to'} {number(cut.edge)}{' or missing' if cut.missing_too else ''}"
            return f"tells the label almost alone: rows {side} {_told(cut)}: {_ASK}"
    codes_N = column.codes if column.kind == "categorical" else binned(column.numbers)
    split = best_values(codes_N, positive_N)
    return f"tells the label almost alone: some values {_told(split)}: {_ASK}" if split.told >= _ALONE else None


def _told(split: Split) -> str:
    return (
        f"are positive in {share(split.precision)} and hold {share(split.recall)} of the positives, the rest is "
        f"positive in {share(split.rest)}"
    )


def _when_set(column: Column) -> list[tuple[Flags, str]]:
    """Where a feature has another value than the one that most rows have; where it has one at all."""
    if column.kind == "dense":
        given_N = ~np.isnan(column.numbers)
        known = column.numbers[given_N]
        usual = float(np.median(known)) if len(known) else 0.0
        usual_N = column.numbers == usual
    else:
        given_N = column.codes > 0
        usual_N = column.codes == int(np.bincount(column.codes)[1:].argmax()) + 1 if given_N.any() else given_N
    ways = [(given_N, "given")]
    if usual_N.sum() > _MOST_UNSET * (given_N.sum() if column.kind == "dense" else len(given_N)):
        ways.insert(0, (given_N & ~usual_N, _other_than(column, int(usual_N.argmax()))))
    return ways


def _other_than(column: Column, row: int) -> str:
    """A value other than that of the row, in words."""
    if column.kind == "categorical":
        return f"not {column.word(int(column.values_N[row]))}"
    value = float(column.numbers[row])
    return f"not {number(value)}" if value else "set"


def _set_only(column: Column, sample: Sample, set_N: Flags, words: str) -> str | None:
    part = part_of(set_N, sample.positive_N)
    rows = len(sample)
    if not 0 < part.rows <= (1 - _MOST_UNSET) * rows:
        return None
    where = f"is {words} in {share(part.rows / rows)} of the training rows"
    if part.rows >= _LEAST and part.purity >= _PURE and part.odds >= _PURE_ODDS:
        return f"{where}, and {class_words(part, sample)}: {_ASK}"
    if column.joined or part.rows > _RARE * rows:
        return None
    again = [_again(set_N, key) for key in sample.keys]
    if any(share_again is not None and share_again > _AGAIN for share_again in again):
        return None
    if part.rows >= _LEAST and part.odds >= _UNLIKE and part.purity >= _MOSTLY:
        return f"{where}, as an event and not as a trait, and {class_words(part, sample)}: {_ASK}"
    if FEEDBACK.search(column.name):
        return f"is named like feedback, and {where.removeprefix('is ')} as an event and not as a trait: {_ASK}"
    return None


def _again(set_N: Flags, key: Key) -> float | None:
    """Of the rows that follow one where it is set, within a key, the share where it is set again: a trait of the key
    would be. None where there are too few to say."""
    after, before = key.steps
    after = after[set_N[before]]
    return float(set_N[after].mean()) if len(after) >= _LEAST else None
