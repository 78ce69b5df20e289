"""`automl advance`: the past of a model goes on by the rows of a table, with their labels. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from automl.commands.served_tables import rows_to_count
from automl.data.past.files import read_past, write_past
from automl.files.whole import need_folder
from search_spaces.errors import InputError

_PATIENCE_S = 20.0


def advance_past(
    file: Path, table: str, joins: Sequence[str], out: Path, late: str | None = None, patience_s: float = _PATIENCE_S
) -> str:
    """Write the past that counts the rows of the table too, and the labels of the table `late`; what it holds then, in
    words. One at a time writes a file: from before the past is read until it is replaced, `out`.lock is held.

    Raises:
        InputError: with what is wrong with the file, the tables and their columns; where a row is not later than all
            that was counted; where another one holds the lock for longer than `patience_s`. Nothing is written then.
    """
    need_folder(out)
    try:
        with FileLock(out.with_name(f"{out.name}.lock"), timeout=patience_s):
            return _advanced(file, table, joins, out, late)
    except Timeout:
        hint = "wait for it: what it counts is in the past then"
        raise InputError.of(str(out), "must not be in use", "another advance that writes it", hint) from None


def _advanced(file: Path, table: str, joins: Sequence[str], out: Path, late: str | None) -> str:
    past = read_past(file)
    labels = () if late is None else rows_to_count(past, late, joins)
    found = past.counted(rows_to_count(past, table, joins), table, labels, late or "")
    after = found.past
    write_past(after, out)
    of_late = "" if late is None else f", labels of {found.late:,} earlier rows"
    size = out.stat().st_size / 2**20
    return f"{found.rows:,} rows counted{of_late}, {after.state.rows:,} in all, up to {after.until}; {size:.2f} MiB"
