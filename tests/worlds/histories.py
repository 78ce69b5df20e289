"""A log whose labels depend on what its rows' lists hold: of target and events of one kind the click is likelier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from automl.data.store.history import History
from search_spaces.inputs import HistoryShape
from tests.worlds.models import Log, planted

IDS, MOST = 20, 6
SECOND_NS = 10**9


def remembered(rows: int = 600, seed: int = 0, *, timed: bool = True, actions: int = 2) -> Log:
    """Ids 1 to 20 of field 1, half of them odd; lists of 0 to 6 events, every fourth empty. A row's click is likelier
    where its own id of field 1 is odd or even as most of its events are."""
    rng = np.random.default_rng([seed, 7])
    log = planted(rows, seed)
    count_N = rng.integers(0, MOST + 1, rows).astype(np.int32) * (rng.random(rows) > 0.25)
    count_N = count_N.astype(np.int32)
    taste_N = rng.integers(0, 2, rows)
    events = int(count_N.sum())
    ids_P = (2 * rng.integers(0, IDS // 2, events) + np.repeat(taste_N, count_N)).astype(np.int32) + 1
    alike_N = (log.ids_NF[:, 1] - 1) % 2 == taste_N
    logit_N = np.where(count_N > 0, np.where(alike_N, 2.0, -2.0), 0.0)
    labels_N = (rng.random(rows) < 1 / (1 + np.exp(-logit_N))).astype(np.float32)
    times_N = np.arange(rows, dtype=np.int64) * SECOND_NS * 3600
    stop_N = count_N.cumsum(dtype=np.int64)
    ages_P = rng.integers(0, 10**6, events) * SECOND_NS
    kinds_P = rng.integers(1, 1 << actions, events).astype(np.uint8) if actions else None
    lists = np.split(np.zeros(events, np.uint8) if kinds_P is None else kinds_P, stop_N[:-1])
    lengths = [tuple(np.bincount(count_N, minlength=MOST + 1).tolist())]
    for k in range(actions):
        of_kind = np.array([int((part >> k & 1).sum()) for part in lists])
        lengths.append(tuple(np.bincount(of_kind, minlength=MOST + 1).tolist()))
    shape = HistoryShape(1, MOST, tuple(lengths), timed)
    history = History(
        "watched", tuple("abcdefgh"[:actions]), shape, ids_P,
        np.repeat(times_N, count_N) - ages_P if timed else None, kinds_P, stop_N, count_N,
    )  # fmt: skip
    inputs = replace(log.inputs, histories=(shape,))
    return replace(log, labels_N=labels_N, inputs=inputs, histories=(history,), times_N=times_N)
