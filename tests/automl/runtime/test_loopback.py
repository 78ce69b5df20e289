"""No address but loopback is bound by what a search starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from automl.runtime.loopback import loopback_only
from tests.worlds.processes import PATIENCE_S

LISTENING = """
import json, sys
from pathlib import Path
import psutil
from automl.runtime.cluster import cluster
with cluster(Path(sys.argv[1]), 1):
    import ray
    ray.get(ray.remote(lambda: 1).remote())
    found = {}
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        for one in process.net_connections("inet"):
            if one.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
                found.setdefault(one.laddr.ip, []).append(process.name())
    print(json.dumps(found))
"""


def test_no_other_address_is_listened_on(tmp_path: Path) -> None:
    words = [sys.executable, "-c", LISTENING, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len([name for names in found.values() for name in names]) > 2, "the head and the raylet listen at least"
    assert set(found) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_the_switch_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    for before in (None, "1"):
        monkeypatch.delenv(name, raising=False)
        if before is not None:
            monkeypatch.setenv(name, before)
        with loopback_only():
            assert os.environ[name] == "0"
        assert os.environ.get(name) == before
