"""A folder of columns: facts.json says of what kind it is and what it holds; each column is a .npy file, to be mapped.

Logs, streams and lessons are such folders. What they have in common is here; what their columns mean stands with each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from automl.data.store.digests import FACTS, with_digests, wrong_in
from automl.files.passed import Passed, unheard
from search_spaces.errors import InputError, first_line

_FIRST = "log"  # the kind that facts do not name, as before there were others
Facts = TypeVar("Facts", bound=Mapping[str, object])
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class ColumnFolder(Generic[Facts]):
    """A folder whose kind and format have been checked."""

    folder: Path
    facts: Facts

    def column(self, name: str, kind: type[Scalar]) -> NDArray[Scalar]:
        """A column, memory-mapped."""
        values: NDArray[Scalar] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        if values.dtype != kind:
            raise TypeError(f"{name} must be {np.dtype(kind)}, but got {values.dtype}")
        return values


@dataclass(frozen=True, slots=True)
class Kind(Generic[Facts]):
    """A kind of folder: its name among the facts, and for errors what it is, where there are some, how to renew one.

    A folder of another format is refused. Logs and streams are encoded anew then: their fingerprints hold it.
    """

    name: str
    words: str
    where: str = ""
    renewed: str = ""
    format: int = 1

    def open(self, folder: Path) -> ColumnFolder[Facts]:
        """Read the facts; columns are mapped when they are asked for.

        Raises:
            InputError: where the folder holds none of this kind, or one of another format.
        """
        must = f"must hold {self.words}"
        facts = read_facts(folder, must, self.where)
        found = facts.get("kind", _FIRST)
        if found != self.name:
            raise InputError.of(str(folder), must, f"an encoded {found}", self.where)
        if facts["format"] != self.format:
            must, found = f"{must} of format {self.format}", f"format {facts['format']}"
            raise InputError.of(str(folder), must, found, self.renewed)
        return ColumnFolder(folder, cast(Facts, facts))

    def current(self, folder: Path, fingerprint: str | None = None, passed: Passed = unheard) -> bool:
        """Whether a folder is there, as it was written, and of the format that is written now; `passed` hears how far
        that is known."""
        return wrong_in(folder, fingerprint, passed) is None and read_facts(folder, "").get("format") == self.format

    def write(self, folder: Path, facts: Facts) -> None:
        """Written last: a folder with facts is a whole one."""
        kind = {} if self.name == _FIRST else {"kind": self.name}
        told = with_digests(folder, {"format": self.format, **kind, **facts})
        (folder / FACTS).write_text(json.dumps(told, indent=1))


def read_facts(folder: Path, must: str, hint: str = "") -> dict[str, Any]:
    """Facts of whatever kind.

    Raises:
        InputError: where there are none.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
    except FileNotFoundError:
        raise InputError.of(str(folder), must, "none", hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError.of(str(folder), must, first_line(error), hint) from error
    return facts


def is_whole(folder: Path) -> bool:
    """Whether there are facts: they are written last."""
    return (folder / FACTS).exists()


class ColumnWriter:
    """One .npy file of known length, written in order by plain writes, so that no page of it counts as ours."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str) -> None:
        self._shape, self._dtype, self._written = shape, np.dtype(dtype), 0
        self._file: IO[bytes] = path.open("wb")
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def write(self, rows: NDArray[np.generic]) -> None:
        self._file.write(np.ascontiguousarray(rows, self._dtype).data if rows.size else b"")
        self._written += len(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None and self._written != self._shape[0]:
            raise ValueError(f"must write {self._shape[0]} rows, but got {self._written}")


def mapped(path: Path, shape: tuple[int, ...], kind: type[Scalar]) -> NDArray[Scalar]:
    """A new .npy file to be written through memory. Its room is taken first: a disk that fills up later would end the
    process by a signal."""
    values: NDArray[Scalar] = np.lib.format.open_memmap(path, "w+", kind, shape)
    with path.open("rb+") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return values


def write_columns(folder: Path, rows: int, blocks: Iterable[Mapping[str, NDArray[np.generic]]]) -> None:
    """Blocks of rows as one .npy file a column, of that many rows in all."""
    with ExitStack() as stack:
        to: dict[str, ColumnWriter] = {}
        for block in blocks:
            for name, values in block.items():
                if name not in to:
                    writer = ColumnWriter(folder / f"{name}.npy", (rows, *values.shape[1:]), values.dtype.str)
                    to[name] = stack.enter_context(writer)
                to[name].write(values)
