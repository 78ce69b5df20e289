"""What a command makes of signals, seen from outside: a word at once, an end in order or a hard one, and its code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.worlds.processes import PATIENCE_S

ROOT = Path(__file__).parents[3]
COMMAND = """
import signal, subprocess, sys, time
for heard in {heard}:
    signal.signal(heard, signal.default_int_handler if heard == signal.SIGINT else signal.SIG_DFL)
import automl.cli as cli
import automl.cli.signals as signals

def work(**options):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    {body}

signals.GRACE_S = {grace}
cli.automl.main = work
cli.main()
"""
ORDERLY = """
    try:
        print(child.pid, flush=True)
        time.sleep(600)
    finally:
        print("given back", flush=True)
"""
DEAF = """
    while True:
        try:
            print(child.pid, flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            pass
"""


HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def started(
    body: str, grace: float, heard: Sequence[signal.Signals] = HEARD
) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A command that does this, and the child that it has started. It hears those signals whatever the tests were
    started to ignore, as in the background of a shell; the others as it inherits them."""
    code = COMMAND.format(body=body.strip(), grace=grace, heard=[int(one) for one in heard])
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, psutil.Process(int(process.stdout.readline()))


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_end_in_order(signum: signal.Signals, code: int) -> None:
    process, child = started(ORDERLY, grace=PATIENCE_S)
    process.send_signal(signum)
    out, errors = process.communicate(timeout=PATIENCE_S)
    child.kill()
    assert (process.returncode, out) == (code, "given back\n")
    assert errors.index("stopping: ") < errors.index("interrupted; the same command goes on")
    assert "Traceback" not in errors


@pytest.mark.parametrize("twice", [False, True])
def test_what_does_not_hear_is_ended_with_all_that_it_started(twice: bool) -> None:
    """After the time of grace, or at once where it is asked for twice."""
    process, child = started(DEAF, grace=PATIENCE_S if twice else 0.2)
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    told = [process.stderr.readline(), process.stderr.readline()]
    assert told[1].startswith("stopping: ")
    if twice:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143
    psutil.wait_procs([child], timeout=PATIENCE_S)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_closed_terminal_does_not_matter() -> None:
    process, child = started(ORDERLY, grace=PATIENCE_S)
    assert process.stderr is not None
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    process.wait(timeout=PATIENCE_S)
    child.kill()
    assert process.returncode == 129
    assert process.stdout is not None
    process.stdout.close()


def test_what_was_to_be_ignored_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `nohup` starts a command."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process, child = started(ORDERLY, grace=PATIENCE_S, heard=(signal.SIGINT, signal.SIGTERM))
    finally:
        signal.signal(signal.SIGHUP, before)
    os.kill(process.pid, signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    child.kill()
    assert process.returncode == 130
