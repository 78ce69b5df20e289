"""64-bit hashes of whole rows, to find exact duplicates in a stream; and digests of files, to know data again."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
from numpy.typing import NDArray

from automl.data.tables import Table

Hashes = NDArray[np.uint64]
_MISSING = np.uint64(0x9E3779B97F4A7C15)
_CHUNK = 1 << 22


def hash_rows(batch: pa.RecordBatch) -> Hashes:
    """One hash a row over all columns of a batch, the same for equal rows of any batch or file."""
    total = np.zeros(batch.num_rows, np.uint64)
    for index, column in enumerate(batch.columns):
        total = _mix(total + _column(column) + np.uint64(index + 1))
    return total


def unit_of_hash(hashes: Hashes, seed: int) -> NDArray[np.float64]:
    """A uniform draw in [0, 1) a row, a function of the row and the seed."""
    salt = np.uint64(int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:8], "big"))
    return (_mix(hashes ^ salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(x: Hashes) -> Hashes:
    """The finaliser of SplitMix64: every bit of the input moves every bit of the output."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _column(column: pa.Array) -> Hashes:
    kind = column.type
    if pa.types.is_floating(kind):
        bits = pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False).view(np.uint64)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        whole = column if pa.types.is_uint64(kind) else column.cast(pa.int64())
        bits = pc.fill_null(whole, 0).to_numpy(zero_copy_only=False).view(np.uint64)
    elif pa.types.is_nested(kind):
        return np.array([_digest(repr(value)) for value in column.to_pylist()], np.uint64)
    else:
        encoded = column if pa.types.is_dictionary(kind) else column.dictionary_encode()
        values = np.array([0, *(_digest(repr(value)) for value in encoded.dictionary.to_pylist())], np.uint64)
        bits = values[pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False) + 1]
    missing = column.is_null().to_numpy(zero_copy_only=False)
    return _mix(bits ^ np.where(missing, _MISSING, np.uint64(0)))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def digest_table(table: Table, cache: Path) -> str:
    """Digest of a table's content. Local files are read once; size and time of change tell when to read again.

    Files at an address are known by size and time of change alone: reading them all to hash them costs a download.
    """
    local = isinstance(table.filesystem, pafs.LocalFileSystem)
    known = _read_known(cache) if local else {}
    total = hashlib.sha256()
    for name in table.files:
        if local:
            stat = os.stat(name)
            stamp = f"{name}\x1f{stat.st_size}\x1f{stat.st_mtime_ns}\x1f{stat.st_ino}"
            known[stamp] = known.get(stamp) or _digest_file(name)
            total.update(known[stamp].encode())
        else:
            info = table.filesystem.get_file_info(name)
            total.update(f"{info.size}\x1f{info.mtime_ns}".encode())
    if local:
        _write_known(cache, known)
    schema = [str(field) for field in table.dataset.schema]
    folders = [os.path.dirname(name) for name in table.relative if "=" in os.path.dirname(name)]
    total.update(json.dumps([schema, folders]).encode())  # partition columns are in the paths, not in the bytes
    return total.hexdigest()


def _digest_file(name: str) -> str:
    digest = hashlib.sha256()
    with open(name, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _read_known(cache: Path) -> dict[str, str]:
    try:
        known = json.loads((cache / "digests.json").read_text())
    except (OSError, ValueError):
        return {}  # never written, or cut off: the files are read again
    return known if isinstance(known, dict) else {}


def _write_known(cache: Path, known: dict[str, str]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    part = cache / f"digests.json.{os.getpid()}"
    part.write_text(json.dumps(known, indent=0, sort_keys=True))
    os.replace(part, cache / "digests.json")
