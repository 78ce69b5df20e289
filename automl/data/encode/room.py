"""What encoding a log takes of the disk, told from its description and its number of rows before it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from automl.data.encode.plan import Plan
from automl.data.encode.spill import record_type

_PLAIN = 3 * 4  # label, weight, cluster
_TIME = 8
_NUMBER = 4  # an id or a dense value
_LIST = 8 + 4  # where a list ends, and its length
_EVENT = 4 + 8 + 1  # id, time, actions
_WORTH_TELLING = 1 << 30


def kept_bytes(plan: Plan, rows: int) -> int:
    """Of the encoded columns; vocabularies come on top, and the events of list columns, which only they tell."""
    features = plan.config.features
    of_row = _NUMBER * (len(plan.categorical) + len(plan.dense) + plan.vector_width + len(features.past_names)) + _PLAIN
    of_lists = _LIST * len(plan.sequences) + _EVENT * len(plan.built)
    return rows * (of_row + of_lists + (0 if plan.config.time is None else _TIME))


def spill_bytes(plan: Plan, rows: int) -> int:
    """Of what lies beside the columns while they are written: the rows, at most so many codes for the ids of runs, and
    counters before they are scaled."""
    sizes = len(plan.coded), len(plan.dense), len(plan.labels), plan.vector_width, len(plan.listed), len(plan.built)
    record = record_type(*sizes, tasks=len(plan.config.tasks))
    return rows * (record.itemsize + _NUMBER * (len(plan.coded) + len(plan.config.features.past_names)))


def room_words(plan: Plan, rows: int, folder: Path) -> str | None:
    """What encoding so many rows into a folder takes, before it begins; None where that is little and there is room."""
    kept = kept_bytes(plan, rows)
    most, free = kept + spill_bytes(plan, rows), shutil.disk_usage(folder).free
    if most < min(_WORTH_TELLING, free):
        return None
    words = f"encoding {rows:,} rows takes up to {_gib(most)} of disk while it lasts, {_gib(kept)} after it"
    return words if most < free else f"{words}: only {_gib(free)} are free"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 100 << 20 else f"{size >> 20} MiB"
