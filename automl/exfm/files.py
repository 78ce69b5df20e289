"""Files of a run that others look for."""

from __future__ import annotations

from pathlib import Path

SUMMARY = "exfm.json"  # all figures; written when the run has ended
LOCK = "exfm.lock.json"  # what the run is of; written when it starts


def is_exfm(folder: Path) -> bool:
    """Whether a folder holds a run that has ended."""
    return (folder / SUMMARY).exists()
