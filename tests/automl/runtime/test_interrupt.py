"""Ctrl-C waits for a moment that is asked for, once; blocks within blocks are one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from automl.runtime.interrupt import deferred_interrupt


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


def test_it_waits_until_it_is_asked_for() -> None:
    with deferred_interrupt() as check:
        check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()


def test_the_second_comes_at_once() -> None:
    with deferred_interrupt():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_block_within_a_block_hears_what_came_before_it_and_keeps_it_for_what_follows() -> None:
    with deferred_interrupt() as outer:
        signal.raise_signal(signal.SIGINT)
        with deferred_interrupt() as inner, pytest.raises(KeyboardInterrupt):
            inner()
        with pytest.raises(KeyboardInterrupt):
            outer()


def test_in_another_thread_nothing_is_deferred() -> None:
    found: list[object] = []

    def work() -> None:
        with deferred_interrupt() as check:
            found.append(check())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]
