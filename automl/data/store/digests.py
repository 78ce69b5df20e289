"""Whether a folder of columns holds what was written into it: its facts tell a digest of every file, and of themselves.

Who opens a folder for a command asks once; workers, who map the same files, do not ask.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from automl.files.parts import digest_of
from automl.files.passed import Passed, unheard

FACTS = "facts.json"
_CHUNK = 1 << 22


def with_digests(folder: Path, facts: Mapping[str, object]) -> dict[str, object]:
    """Facts of a folder that is all written but for them: with a digest of every file, and one of the facts."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / FACTS)
    digests = {file.relative_to(folder).as_posix(): digest_of(file) for file in files}
    told = {**facts, "files": digests}
    return {**told, "digest": _facts_digest(told)}


def wrong_in(folder: Path, fingerprint: str | None = None, passed: Passed = unheard) -> str | None:
    """The first file of a folder that is not what was written, `facts.json` where there are none, or those of another
    fingerprint; None: all are.

    Every byte is read, at about a second a GiB where the machine has them in memory; what was asked before by this
    process, and nobody has written since, is not read again. `passed` hears how far that is.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
        digest = facts.pop("digest")
        if digest != _facts_digest(facts) or fingerprint not in (None, facts.get("fingerprint")):
            return FACTS
        digests: dict[str, str] = facts["files"]
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return FACTS
    stamps = []
    for name in digests:
        try:
            stat = (folder / name).stat()
        except FileNotFoundError:
            return name
        stamps.append((stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return _differing(_Asked(folder.absolute(), tuple(digests.items()), tuple(stamps), passed))


@dataclass(frozen=True, slots=True)
class _Asked:
    folder: Path
    digests: tuple[tuple[str, str], ...]
    stamps: tuple[tuple[int, int, int, int], ...]  # of each file: whether it was written since
    passed: Passed = field(compare=False)


@lru_cache(maxsize=16)
def _differing(asked: _Asked) -> str | None:
    total, done = sum(size for _, size, _, _ in asked.stamps), 0
    for name, digest in asked.digests:
        content = hashlib.sha256()
        try:
            with (asked.folder / name).open("rb") as file:
                for chunk in _chunks(file):
                    content.update(chunk)
                    done += len(chunk)
                    asked.passed("MiB checked", done >> 20, total >> 20)
        except PermissionError:
            raise
        except OSError:  # a disk that lost a block of it
            return name
        if content.hexdigest() != digest:
            return name
    return None


def _chunks(file: IO[bytes]) -> Iterable[bytes]:
    return iter(lambda: file.read(_CHUNK), b"")


def _facts_digest(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(json.loads(json.dumps(facts)), sort_keys=True).encode()).hexdigest()
