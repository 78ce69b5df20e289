"""A zip whose facts tell a digest of every other part: who opens it is told which is missing, exchanged or cut."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo


def digest_of(file: Path) -> str:
    """64 hex digits of a file's content."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class Parts:
    """Parts on their way into a zip, each with a digest of its content."""

    def __init__(self, out: ZipFile) -> None:
        self._out = out
        self.digests: dict[str, str] = {}

    def write(self, name: str, content: bytes | str, *, packed: bool = True) -> None:
        """A part of its own name; the same content gives the same bytes."""
        held = content.encode() if isinstance(content, str) else content
        self._out.writestr(ZipInfo(name), held, ZIP_DEFLATED if packed else ZIP_STORED)
        self.digests[name] = hashlib.sha256(held).hexdigest()


def hold_parts(held: ZipFile, facts: str, digests: object) -> None:
    """Compare the parts of a zip, all but its `facts`, with what was written.

    Raises:
        ValueError: naming a part that is missing, is not what was written, or is of nobody.
    """
    if not isinstance(digests, Mapping) or not all(isinstance(digest, str) for digest in digests.values()):
        raise ValueError(f"{facts} that tells no digests of the other parts")
    names = held.namelist()
    for name, digest in digests.items():
        if name not in names:
            raise ValueError(f"no {name} in it")
        with held.open(name) as part:
            if hashlib.file_digest(part, "sha256").hexdigest() != digest:  # type: ignore[arg-type]
                raise ValueError(f"another {name} than was written with it")
    for name in names:
        if name not in digests and name != facts:
            raise ValueError(f"a part {name} that was not written with it")
