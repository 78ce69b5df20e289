"""What ends a whole run, and how an error is told."""

from __future__ import annotations

import traceback
from pathlib import Path


class RunError(Exception):
    """The run cannot reach its end; the text is the reason."""


def explain(error: BaseException) -> str:
    """What was raised, and the innermost place in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}".strip()
