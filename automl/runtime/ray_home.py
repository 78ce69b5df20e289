"""Where a Ray of our own lives: a folder that its sockets fit in, and a word that only its processes know."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from automl.runtime.errors import RunError

_SOCKET_BYTES = 107  # of an address in the file system, by Linux
_BELOW = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")  # what Ray adds; the longest pid
_ELSEWHERE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
_AUTH = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@contextmanager
def ray_home(folder: Path) -> Iterator[Path]:
    """A new folder for the Ray of a run over `folder`, gone after the block; those of killed runs over it go first.

    Raises:
        RunError: where no place can be written whose name is short enough.
    """
    start = f"automl-{hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:8]}-"
    for place in _places():
        for left in place.glob(f"{start}*"):
            shutil.rmtree(left, ignore_errors=True)
    home = _made(start)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _made(start: str) -> Path:
    for place in _places():
        try:
            home = Path(tempfile.mkdtemp(prefix=start, dir=place))
        except OSError:
            continue
        if len(os.fsencode(home)) + _BELOW <= _SOCKET_BYTES:
            return home
        home.rmdir()
    told = ", ".join(map(str, _places()))
    raise RunError(f"Ray needs a folder for its sockets that can be written and has a short name; tried {told}")


def _places() -> tuple[Path, ...]:
    """Folders for temporary files, the one that was asked for first."""
    asked = [os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)]
    return tuple(dict.fromkeys(Path(place).absolute() for place in (*asked, *_ELSEWHERE)))


@cache
def credentials() -> Mapping[str, str]:
    """What Ray's processes know each other by, as variables, where neither the environment nor the user's home has it:
    there Ray would write it down, and a home may be missing or read-only. One for the length of this process, which
    remembers the first."""
    if any(name in os.environ for name in _AUTH) or _token_at_home():
        return {}
    return {"RAY_AUTH_TOKEN": secrets.token_hex(16)}  # not the mode, which Ray reads anew only where it sets it itself


def _token_at_home() -> bool:
    try:
        return bool((Path.home() / ".ray" / "auth_token").read_text().strip())
    except (OSError, RuntimeError, UnicodeDecodeError):
        return False
