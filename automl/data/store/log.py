"""An encoded log: columns on disk, memory-mapped by every trial and worker.

Shapes: N examples sorted by time, F id fields, D dense features, T tasks of a teacher.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from search_spaces.model import InputShape

FORMAT = 1
FACTS = "facts.json"


@dataclass(frozen=True, eq=False)
class EncodedLog:
    """A log as arrays. Pickled by its folder: a worker maps the same files.

    ids_NF (int32): 0 is missing or out of vocabulary, k the k-th most frequent id of the fit windows.
    dense_ND (float32): standardised over the fit windows, missing is 0. clusters_N: rows that depend share a number.
    A log with a teacher has its logits of each task (teacher_NT, NaN: it says nothing), its age in hours when it said
    so, and the place of the label among the tasks.
    """

    folder: Path
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    windows: Mapping[str, slice]
    base_rates: Mapping[str, float]
    fit: tuple[str, ...]
    label: str
    negatives_kept: float | None
    fingerprint: str
    notes: tuple[str, ...]
    ids_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    labels_N: NDArray[np.float32]
    weights_N: NDArray[np.float32]
    clusters_N: NDArray[np.int32]
    times_N: NDArray[np.int64] | None
    teacher_NT: NDArray[np.float32] | None = None
    ages_N: NDArray[np.float32] | None = None
    own: int | None = None

    def __len__(self) -> int:
        return len(self.labels_N)

    @cached_property
    def inputs(self) -> InputShape:
        """What a model is built from: id counts of the fit windows."""
        with np.load(self.folder / "id_counts.npz") as counts:
            id_counts = tuple(tuple(counts[f"arr_{k}"].tolist()) for k in range(len(self.fields)))
        rows = sum(self.windows[name].stop - self.windows[name].start for name in self.fit)
        return InputShape(id_counts, len(self.dense), rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_log, (self.folder,)


def open_log(folder: Path | str) -> EncodedLog:
    """Map an encoded log.

    Raises:
        InputError: where the folder holds none, or one of another version.
    """
    folder = Path(folder).absolute()
    try:
        facts = json.loads((folder / FACTS).read_text())
    except (OSError, ValueError) as error:
        raise InputError.of(str(folder), "must hold an encoded log", str(error).splitlines()[0]) from error
    if "kind" in facts:
        raise InputError.of(str(folder), "must hold an encoded log", f"an encoded {facts['kind']}")
    if facts["format"] != FORMAT:
        hint = "remove the folder; it is made anew"
        raise InputError.of(str(folder), f"must hold an encoded log of format {FORMAT}", str(facts["format"]), hint)

    def column(name: str) -> NDArray[Any]:
        return np.load(folder / f"{name}.npy", mmap_mode="r")  # type: ignore[no-any-return]

    return EncodedLog(
        folder=folder,
        fields=tuple(facts["fields"]),
        dense=tuple(facts["dense"]),
        windows={name: slice(*span) for name, span in facts["windows"].items()},
        base_rates=facts["base_rates"],
        fit=tuple(facts["fit"]),
        label=facts["label"],
        negatives_kept=facts["negatives_kept"],
        fingerprint=facts["fingerprint"],
        notes=tuple(facts["notes"]),
        ids_NF=column("ids"),
        dense_ND=column("dense"),
        labels_N=column("labels"),
        weights_N=column("weights"),
        clusters_N=column("clusters"),
        times_N=column("times") if facts["timed"] else None,
        teacher_NT=column("teacher") if "own" in facts else None,
        ages_N=column("ages") if "own" in facts else None,
        own=facts.get("own"),
    )


def is_log(folder: Path) -> bool:
    return (folder / FACTS).exists()


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Written last: a folder with facts is a whole log."""
    (folder / FACTS).write_text(json.dumps({"format": FORMAT, **facts}, indent=1))


class ColumnWriter:
    """One .npy file of known length, written in order by plain writes, so that no page of it counts as ours."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str) -> None:
        self._shape, self._dtype, self._written = shape, np.dtype(dtype), 0
        self._file: IO[bytes] = path.open("wb")
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def write(self, rows: NDArray[Any]) -> None:
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


def write_columns(folder: Path, rows: int, blocks: Iterable[Mapping[str, NDArray[Any]]]) -> None:
    """Blocks of rows as one .npy file a column, of that many rows in all."""
    with ExitStack() as stack:
        to: dict[str, ColumnWriter] = {}
        for block in blocks:
            for name, values in block.items():
                if name not in to:
                    writer = ColumnWriter(folder / f"{name}.npy", (rows, *values.shape[1:]), values.dtype.str)
                    to[name] = stack.enter_context(writer)
                to[name].write(values)
