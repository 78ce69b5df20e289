"""A file of JSON values, a line each, that a killed process may have left with half a line at its end: that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(file: Path) -> list[Any]:
    """The values of the whole lines; none where there is no file."""
    content = _content(file)
    return [json.loads(line) for line in content[: _whole(content)].splitlines()]


def append(file: Path, value: Any) -> None:
    """One more, in the place of half a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = _content(file)
    with file.open("ab") as out:
        if _whole(content) < len(content):  # else another process may have added a line since
            out.truncate(_whole(content))
        out.write(json.dumps(value).encode() + b"\n")


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def _whole(content: bytes) -> int:
    """Bytes of its whole lines."""
    return content.rfind(b"\n") + 1
