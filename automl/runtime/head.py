"""Whether a cluster's head still answers, asked by a thread of ours: Ray itself waits a minute for it, and then ends
the process that waits."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from automl.runtime.errors import RunError

LOOK_EVERY_S = 1.0
PATIENCE_S = 4.0  # a head that has not answered for so long is gone
STUCK_S = 5.0  # after that, until a block that has not been left is held to be stuck in Ray


class ClusterLostError(RunError):
    """The cluster's head has ended, or cannot be reached any more."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"the head of the Ray cluster at {address} has not answered for {PATIENCE_S:g} s: it has ended, or cannot "
            "be reached. What had ended is kept; once a cluster is up, the same command runs the rest"
        )


@contextmanager
def watched_head(address: str, end: Callable[[str], None] | None = None) -> Iterator[Callable[[], None]]:
    """Within the block the head is asked every second. What is yielded raises ClusterLostError once it is gone.

    A block that does not ask waits for an answer of Ray's that never comes: then `end` is called with the reason, which
    ends the process where it is left out.
    """
    left, lost = threading.Event(), threading.Event()

    def check() -> None:
        if lost.is_set():
            raise ClusterLostError(address)

    def look() -> None:
        answered = time.monotonic()
        while not left.wait(LOOK_EVERY_S):
            answered = time.monotonic() if answers(address) else answered
            if time.monotonic() - answered > PATIENCE_S:
                lost.set()
                if not left.wait(STUCK_S):
                    (end or _end)(str(ClusterLostError(address)))
                return

    watcher = threading.Thread(target=look, name="watch the head", daemon=True)
    watcher.start()
    try:
        yield check
    finally:
        left.set()


def answers(address: str) -> bool:
    """Whether something at host:port takes a connection."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=LOOK_EVERY_S).close()
    except OSError:
        return False
    return True


def _end(reason: str) -> None:
    """Nothing is lost by it: what is recorded is committed, and the locks of a process end with it."""
    sys.stderr.write(f"\n{reason}\n")
    sys.stderr.flush()
    os._exit(1)
