"""Ctrl-C waits for a moment that is asked for, once; blocks within blocks are one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from automl.runtime.interrupt import Stop, deferred_interrupt


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


def test_it_waits_until_it_is_asked_for() -> None:
    with deferred_interrupt() as stop:
        stop.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            stop.check()


def test_the_second_comes_at_once() -> None:
    with deferred_interrupt():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_block_within_a_block_hears_what_came_before_it_and_keeps_it_for_what_follows() -> None:
    with deferred_interrupt() as outer:
        signal.raise_signal(signal.SIGINT)
        with deferred_interrupt() as inner, pytest.raises(KeyboardInterrupt):
            inner.check()
        with pytest.raises(KeyboardInterrupt):
            outer.check()


def test_in_another_thread_nothing_is_deferred() -> None:
    found: list[object] = []

    def work() -> None:
        with deferred_interrupt() as stop:
            found.append(stop.check())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]


def test_at_the_latest_it_comes_at_the_end_of_the_block() -> None:
    with pytest.raises(KeyboardInterrupt), deferred_interrupt():
        signal.raise_signal(signal.SIGINT)


def test_a_command_holds_its_own_handler_of_any_signal() -> None:
    stop = Stop()
    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        with deferred_interrupt() as held:
            assert held is stop
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                held.check()
        assert stop.signum == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.signum == signal.SIGTERM, "the first is what a run was ended by"
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
