"""A PostgreSQL server of one's own, that listens on a socket in its folder alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ACCOUNT = "postgres"  # the server does not run as root


def missing() -> str | None:
    """Why there can be none here."""
    for name in ("initdb", "pg_ctl"):
        if _program(name) is None:
            return f"no {name} here (Debian: apt-get install postgresql)"
    if os.geteuid() == 0 and ACCOUNT not in {entry.pw_name for entry in pwd.getpwall()}:
        return f"PostgreSQL does not run as root, and there is no account {ACCOUNT}"
    return None


class Server:
    """One server; `url` of its database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"postgresql://ranker@/postgres?host={folder}"

    def start(self) -> None:
        flags = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=40"
        self._run("pg_ctl", "-D", "data", "-o", flags, "-l", "log", "-w", "start")

    def stop(self) -> None:
        """At once, as if it was killed."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")

    def make(self) -> None:
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "ranker", "-E", "UTF8", "--locale=C", "--no-sync")

    def _run(self, program: str, *words: str) -> None:
        command: Sequence[str | Path] = [_program(program) or program, *words]
        user: dict[str, Any] = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **user)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def server() -> Iterator[Server]:
    """One for the length of the block; its folder's name is short, since it is that of a socket."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT, ACCOUNT)
        one = Server(folder)
        one.make()
        one.start()
        try:
            yield one
        finally:
            one.stop()


def _program(name: str) -> str | None:
    """On the path, or where Debian has the newest."""
    found = shutil.which(name)
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found or (str(places[-1]) if places else None)
