"""No prediction may know the future: checked when it is written, and again when it is read.

N rows, T tasks. A row is scored at its impression time. Its labels are taken to arrive no earlier than that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl.exfm.das.scorer import Snapshot, Stream
from automl.exfm.das.ticks import Tick
from automl.runtime.errors import RunError


class CausalityError(RunError):
    """A prediction was made by a snapshot that knows what happened later."""


def check_snapshot(snapshot: Snapshot, tick: Tick, rows_N: NDArray[np.int64], stream: Stream) -> None:
    """Before anything is scored: the snapshot was there when the tick began, and has seen nothing of its rows.

    Raises:
        CausalityError: where it was not, or has.
    """
    if snapshot.published_ns > tick.start_ns:
        raise CausalityError(
            f"snapshot {snapshot.name} must be published when tick {tick.index} starts, at {clock(tick.start_ns)}, "
            f"but it was at {clock(snapshot.published_ns)}"
        )
    count = len(rows_N)
    check_rows(
        [snapshot.name],
        np.zeros(count, np.int64),
        np.full(count, snapshot.trained_to_ns),
        np.full(count, snapshot.published_ns),
        rows_N,
        stream,
    )


def check_rows(
    names: Sequence[str],
    names_N: NDArray[np.int64],
    trained_to_N: NDArray[np.int64],
    published_N: NDArray[np.int64],
    rows_N: NDArray[np.int64],
    stream: Stream,
) -> None:
    """Rows that were scored, each by the snapshot names[names_N].

    Raises:
        CausalityError: at the first row whose snapshot had seen a label that arrived after the row, or the row's own,
            or was published after it.
    """
    times_N = stream.times_N[rows_N]
    own_N = effective_arrivals(times_N, stream.arrivals_NT[rows_N]).min(1, initial=2**63 - 1)
    for bad_N, seen_N, what in (
        (trained_to_N > times_N, times_N, "must have seen no label that arrived after the row's time"),
        (trained_to_N >= own_N, own_N, "must not have seen the row's own label, which arrived at"),
        (published_N > times_N, times_N, "must have been published before the row's time"),
    ):
        if bad_N.any():
            at = int(np.argmax(bad_N))
            raise CausalityError(
                f"snapshot {names[names_N[at]]} {what} {clock(int(seen_N[at]))} (row {rows_N[at]} of the stream), "
                f"but it is trained to {clock(int(trained_to_N[at]))} and was published {clock(int(published_N[at]))}"
                f"; {int(bad_N.sum())} rows of {len(rows_N)} are like this"
            )


def effective_arrivals(times_N: NDArray[np.int64], arrivals_NT: NDArray[np.int64]) -> NDArray[np.int64]:
    """Arrivals (N, T), none before the impression."""
    return np.maximum(arrivals_NT, times_N[:, None])


def clock(time_ns: int) -> str:
    """A time of the stream in words."""
    return f"{np.datetime64(time_ns, 'ns')}Z"
