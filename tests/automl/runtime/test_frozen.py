"""What was stopped and forgotten is woken, if it belongs to the run."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil

from automl.runtime.frozen import stopped, woken
from tests.worlds.processes import PATIENCE_S, sleeper


def test_what_is_stopped_for_a_while_is_woken(tmp_path: Path) -> None:
    with sleeper(str(tmp_path)) as ours, sleeper(str(tmp_path / "other")) as other:
        for process in (ours, other):
            process.send_signal(signal.SIGSTOP)
        end = time.monotonic() + PATIENCE_S
        while stopped(tmp_path) != [ours.pid] and time.monotonic() < end:
            time.sleep(0.01)
        with woken(tmp_path, every_s=0.02, patience_s=0.06):
            while stopped(tmp_path) and time.monotonic() < end:
                time.sleep(0.02)
        assert stopped(tmp_path) == []
        assert psutil.Process(ours.pid).status() != psutil.STATUS_STOPPED
        assert psutil.Process(other.pid).status() == psutil.STATUS_STOPPED
