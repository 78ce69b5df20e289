"""Where the tables of a run can lie: deltalake reads some paths as addresses, and finds another folder or none."""

from __future__ import annotations

import re
from pathlib import Path

from search_spaces.errors import InputError

_MARKS = re.compile(r"%[0-9A-Fa-f]{2}|[][\\^|?#]|[\x00-\x1f\x7f]")


def need_place(folder: Path) -> None:
    """
    Raises:
        InputError: where no Delta table can lie below a folder.
    """
    marks = sorted(set(_MARKS.findall(str(folder.resolve()))))
    if marks:
        must = "must have a path where Delta tables can be read"
        found = ", ".join(f"`{mark}`" if mark.isprintable() else repr(mark) for mark in marks)
        raise InputError.of(str(folder), must, f"{found} in it", "give another folder by --out")
