"""A head that does not answer any more is noticed, told, and never waited for."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl.runtime import head
from automl.runtime.head import ClusterLostError, answers, watched_head
from automl.runtime.leftovers import FOLDER
from tests.worlds.processes import PATIENCE_S, is_gone, sleeper


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_EVERY_S", "PATIENCE_S", "STUCK_S"):
        monkeypatch.setattr(head, name, 0.05)


@pytest.fixture
def up() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield listening


def address_of(listening: socket.socket) -> str:
    return f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_head_that_ends_is_told_to_whoever_asks_and_ends_a_block_that_does_not(up: socket.socket) -> None:
    address, ended, said = address_of(up), threading.Event(), list[str]()

    def end(reason: str) -> None:
        said.append(reason)
        ended.set()

    with watched_head(address, end) as check:
        check()
        up.close()
        assert ended.wait(PATIENCE_S)
        with pytest.raises(ClusterLostError, match="the same command runs the rest"):
            check()
    assert said == [str(ClusterLostError(address))]


def test_the_part_of_a_cluster_on_this_machine_is_asked_too(up: socket.socket) -> None:
    ended = threading.Event()
    with socket.socket() as raylet:
        raylet.bind(("127.0.0.1", 0))
        raylet.listen(100)
        with watched_head(address_of(up), lambda reason: ended.set(), node=address_of(raylet)) as check:
            check()
            told = re.escape(f"(its raylet) at {address_of(raylet)} has not answered")
            raylet.close()
            assert ended.wait(PATIENCE_S)
            with pytest.raises(ClusterLostError, match=told):
                check()


def test_a_block_that_is_left_is_not_ended(up: socket.socket) -> None:
    with watched_head(address_of(up), pytest.fail) as check:
        check()
    assert answers(address_of(up))


def test_a_process_that_is_ended_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "from automl.runtime.head import _end; _end('it is gone')"]
    with sleeper(str(tmp_path)) as left:
        environment = {**os.environ, FOLDER: str(tmp_path)}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
        assert is_gone(left)
    assert (done.returncode, done.stderr) == (1, "\nit is gone\n")
