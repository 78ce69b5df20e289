"""Files of a run that others look for."""

from __future__ import annotations

from pathlib import Path

from automl.study.exfm_json import EXFM_JSON

LOCK = "exfm.lock.json"  # what the run is of; written when it starts


def is_exfm(folder: Path) -> bool:
    """Whether a folder holds a run that has ended."""
    return (folder / EXFM_JSON).exists()
