"""A Ray cluster of several nodes on one machine, apart from any other Ray there: nodes join, and are killed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

_RAY = [sys.executable, "-m", "ray.scripts.scripts"]
_UP_S = 300.0  # on a machine that is busy
# A lost node is noticed within five seconds in place of twelve.
QUICK = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 3000,
    "health_check_failure_threshold": 4,
}


@dataclass(frozen=True, slots=True)
class Node:
    """One `ray start`, and all that it has started."""

    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """As a machine that loses its power: nothing of it says a word more."""
        found = [self.process, *psutil.Process(self.process.pid).children(recursive=True)]
        for process in found:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        self.process.wait()


class Raylets:
    """A head without cores, and the nodes that are added to it."""

    def __init__(self, system: Mapping[str, Any] = QUICK) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))  # names of sockets must be short
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOML_RUN_", "RAY_"))}
        self.environment = {
            **kept,
            "RAY_TMPDIR": str(self.home),  # where the address of a cluster is left for others to find
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_enable_metrics_collection": "0",
            "RAY_raylet_start_wait_time_s": f"{_UP_S:g}",
        }  # of a driver, too
        self.nodes: list[Node] = []
        words = ["--head", "--port=0", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={self.home}/ray"]
        self.head = self._start([*words, f"--system-config={json.dumps(dict(system))}"])
        current = self.home / "ray" / "ray_current_cluster"
        _wait(current.exists, self.head, self.home)
        self.address = current.read_text().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in (*self.nodes, self.head):
            if node.process.poll() is None:
                node.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def add(
        self,
        cpus: int = 1,
        *,
        resources: Mapping[str, float] | None = None,
        hide: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Node:
        """A node more, once it is up: two that start at once on one machine may take one name.

        It does not see what is in the folder `hide`, as if it had no file system in common with us.
        """
        before = self._started()
        words = [f"--address={self.address}", f"--num-cpus={cpus}", f"--resources={json.dumps(dict(resources or {}))}"]
        node = self._start([*words, "--object-store-memory=100000000"], hide, environment or {})
        self.nodes.append(node)
        _wait(lambda: self._started() > before, node, self.home)
        return node

    def _started(self) -> int:
        """Nodes that have said that they are up."""
        return (self.home / "out").read_text(errors="replace").count("Ray runtime started")

    def _start(
        self, words: Sequence[str], hide: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Node:
        command = [*_RAY, "start", "--block", "--disable-usage-stats", "--dashboard-agent-listen-port=0", *words]
        if hide is not None:
            command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(hide), *command]
        with (self.home / "out").open("ab") as out:
            process = subprocess.Popen(
                command,
                env={**self.environment, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Node(process)


def can_hide() -> bool:
    """Whether this process may give another one a view of its own of the file system."""
    return (
        shutil.which("unshare") is not None and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0
    )


def _wait(there: Callable[[], bool], node: Node, home: Path) -> None:
    deadline = time.monotonic() + _UP_S
    while not there():
        if node.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"a node of Ray must start, but it did not: {home / 'out'}")
        time.sleep(0.05)
