"""A part of a log's rows, and the same as a log of its own, held in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from automl.data.store.log import EncodedLog


def one_in(rows: slice, every: int, seed: int) -> NDArray[np.int64]:
    """Of each run of so many rows one that is drawn, in order; fewer at the end are left out.

    The same place of every run would be the same position of every list, where rows lie list by list.
    """
    starts = np.arange(rows.start, rows.stop - every + 1, every)
    drawn: NDArray[np.int64] = starts + np.random.default_rng(seed).integers(every, size=len(starts))
    return drawn


def sampled(log: EncodedLog, window: str, rows: NDArray[np.int64]) -> EncodedLog:
    """Those rows, in that order, as the only window of a log. Ids, scales and events of lists are the whole log's.

    It is for the process that makes it: pickled, it would be the whole log again.
    """
    histories = [replace(one, stop_N=one.stop_N[rows], count_N=one.count_N[rows]) for one in log.histories]
    return replace(
        log,
        windows={window: slice(0, len(rows))},
        ids_NF=log.ids_NF[rows],
        dense_ND=log.dense_ND[rows],
        labels_N=log.labels_N[rows],
        weights_N=log.weights_N[rows],
        clusters_N=log.clusters_N[rows],
        times_N=None if log.times_N is None else log.times_N[rows],
        teacher_NT=None if log.teacher_NT is None else log.teacher_NT[rows],
        ages_N=None if log.ages_N is None else log.ages_N[rows],
        histories=tuple(histories),
        labels_NT=None if log.labels_NT is None else log.labels_NT[rows],
    )
