"""Arrays on disk that are known again: a .npy file that ends with a digest of its array and of its own name.

NumPy reads it like any other. A file that was cut, changed or given another's name does not hold its digest.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.files.whole import whole_file

_MARK = b"sealed:1"
_BYTES = hashlib.sha256().digest_size


def write_sealed(path: Path, values: NDArray[np.float64], name: str) -> None:
    """As .npy under that name, which is not the path's: a file may be written elsewhere and brought to its place."""
    held = io.BytesIO()
    np.save(held, values)
    content = held.getvalue()
    with whole_file(path) as part:
        part.write_bytes(content + _MARK + _seal(content, name))


def read_sealed(path: Path, name: str) -> NDArray[np.float64] | None:
    """The array; None where the file is not as it was written under that name."""
    held = path.read_bytes()
    end = len(held) - _BYTES - len(_MARK)
    content = held[: max(end, 0)]
    if held[len(content) :] != _MARK + _seal(content, name):
        return None
    values: NDArray[np.float64] = np.load(io.BytesIO(content), allow_pickle=False)
    return values


def _seal(content: bytes, name: str) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + content).digest()
