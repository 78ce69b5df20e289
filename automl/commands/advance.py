"""`automl advance`: the past of a model goes on by the rows of a table, with their labels. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl.commands.served_tables import rows_to_count
from automl.data.past.files import read_past, write_past
from search_spaces.errors import InputError


def advance_past(file: Path, table: str, joins: Sequence[str], out: Path, late: str | None = None) -> str:
    """Write the past that counts the rows of the table too, and the labels of the table `late`; what it holds then, in
    words.

    Raises:
        InputError: with what is wrong with the file, the tables and their columns; where a row is not later than all
            that was counted. Nothing is written then.
    """
    if not out.absolute().parent.is_dir():
        raise InputError.of(str(out), "must lie in a folder that exists", f"no {out.absolute().parent}")
    past = read_past(file)
    labels = () if late is None else rows_to_count(past, late, joins)
    after = past.advanced(rows_to_count(past, table, joins), table, labels, late or "")
    write_past(after, out)
    new, size = after.state.rows - past.state.rows, out.stat().st_size / 2**20
    return f"{new:,} rows counted, {after.state.rows:,} in all, up to {after.until}; {size:.2f} MiB"
