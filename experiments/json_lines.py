"""A file of JSON values, a line each, that a killed process may have left with half a line at its end: that is none."""

from __future__ import annotations

import json
from os import SEEK_END
from pathlib import Path
from typing import Any


def read(file: Path) -> list[Any]:
    """The values of the whole lines; none where there is no file."""
    content = file.read_bytes() if file.exists() else b""
    return [json.loads(line) for line in content[: _whole(content)].splitlines()]


def append(file: Path, value: Any) -> None:
    """One more, in the place of half a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as out:
        out.seek(max(out.seek(0, SEEK_END) - 1, 0))
        if out.read(1) not in (b"", b"\n"):
            out.truncate(_whole(file.read_bytes()))
        out.write(json.dumps(value).encode() + b"\n")


def _whole(content: bytes) -> int:
    """Bytes of its whole lines."""
    return content.rfind(b"\n") + 1
