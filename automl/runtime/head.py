"""Whether a cluster's head still answers, and the part of it that runs on this machine, asked by a thread of ours: Ray
itself waits a minute for the first, and then ends the process that waits; for the second it waits for ever."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from automl.runtime.errors import RunError
from automl.runtime.leftovers import FOLDER, reap
from automl.runtime.nodes import address_of, nodes, own_node

LOOK_EVERY_S = 1.0
PATIENCE_S = 4.0  # a head that has not answered for so long is gone
STUCK_S = 5.0  # after that, until a block that has not been left is held to be stuck in Ray


class ClusterLostError(RunError):
    """The cluster's head has ended, or what of it runs on this machine, or cannot be reached any more."""

    def __init__(self, address: str, what: str = "the head of the Ray cluster") -> None:
        super().__init__(
            f"{what} at {address} has not answered for {PATIENCE_S:g} s: it has ended, or cannot "
            "be reached. What had ended is kept; once a cluster is up, the same command runs the rest"
        )


@contextmanager
def watched_head(
    address: str, end: Callable[[str], None] | None = None, *, node: str | None = None
) -> Iterator[Callable[[], None]]:
    """Within the block the head is asked every second, and this machine's `node`. What is yielded raises
    ClusterLostError once one of them is gone.

    A block that does not ask waits for an answer of Ray's that never comes: then `end` is called with the reason, which
    ends the process where it is left out.
    """
    left, lost = threading.Event(), list[ClusterLostError]()
    asked = {address: ClusterLostError(address)}
    if node is not None:
        asked[node] = ClusterLostError(node, "the Ray of this machine (its raylet)")

    def check() -> None:
        if lost:
            raise lost[0]

    def look() -> None:
        answered = dict.fromkeys(asked, time.monotonic())
        while not left.wait(LOOK_EVERY_S):
            answered |= {one: time.monotonic() for one in asked if answers(one)}
            lost.extend(asked[one] for one, last in answered.items() if time.monotonic() - last > PATIENCE_S)
            if lost:
                if not left.wait(STUCK_S):
                    (end or _end)(str(lost[0]))
                return

    watcher = threading.Thread(target=look, name="watch the head", daemon=True)
    watcher.start()
    try:
        yield check
    finally:
        left.set()


def node_address() -> str | None:
    """Where the raylet of this process answers; None where Ray does not tell. Ray must be up."""
    own = own_node()
    return next((address_of(one) for one in nodes() if one["NodeID"] == own), None)


def cluster_address() -> str:
    """Where the head of the cluster is that this process has joined."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


def answers(address: str) -> bool:
    """Whether something at host:port takes a connection."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=LOOK_EVERY_S).close()
    except OSError:
        return False
    return True


def _end(reason: str) -> None:
    """Nothing is lost by it: what is recorded is committed, the locks of a process end with it, and what it has started
    is ended."""
    sys.stderr.write(f"\n{reason}\n")
    sys.stderr.flush()
    if FOLDER in os.environ:
        reap(Path(os.environ[FOLDER]))
    os._exit(1)
