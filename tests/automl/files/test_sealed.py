from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from automl.files.sealed import read_sealed, write_sealed

VALUES = np.array([0.25, 0.5, np.nan])


@pytest.mark.parametrize("values", [VALUES, np.empty(0)])
def test_what_was_written_is_read_by_its_name_and_by_numpy(tmp_path: Path, values: NDArray[np.float64]) -> None:
    file = tmp_path / "x.npy"
    write_sealed(file, values, "log/x.npy")
    for found in (read_sealed(file, "log/x.npy"), np.load(file)):
        assert found is not None
        np.testing.assert_array_equal(found, values)


def test_another_name_is_another_array(tmp_path: Path) -> None:
    write_sealed(tmp_path / "x.npy", VALUES, "log/x.npy")
    assert read_sealed(tmp_path / "x.npy", "log/y.npy") is None


def test_no_byte_can_be_changed_or_missing(tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    write_sealed(file, VALUES, "x")
    held = file.read_bytes()
    for k in range(len(held)):
        file.write_bytes(held[:k] + bytes([held[k] ^ 1]) + held[k + 1 :])
        assert read_sealed(file, "x") is None
        file.write_bytes(held[:k])
        assert read_sealed(file, "x") is None


def test_a_plain_file_of_numpy_is_not_sealed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", VALUES)
    assert read_sealed(tmp_path / "x.npy", "x") is None
