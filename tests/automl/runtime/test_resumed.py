"""A job's checkpoint as the driver sees it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from automl.runtime.resumed import checkpoint_of, clear, remove, stamp


@dataclass(frozen=True, slots=True)
class Long:
    checkpoint: str | None


def test_a_checkpoint_has_a_time_where_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "one.pt"
    asked = Long(str(file))
    assert checkpoint_of(asked) == str(file)
    assert stamp(asked) == stamp(Long(None)) == stamp(object()) == 0
    file.write_text("so far")
    os.utime(file, ns=(1, 7))
    assert stamp(asked) == 7


def test_all_of_it_goes_and_the_folder_with_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("trial-1.pt", "trial-1.pt.0a1b2c3d.part", "trial-11.pt"):
        (folder / name).write_text("so far")
    remove(Long(str(folder / "trial-1.pt")))
    assert [file.name for file in folder.iterdir()] == ["trial-11.pt"]
    remove(Long(str(folder / "trial-11.pt")))
    assert not folder.exists()
    remove(Long(str(folder / "trial-11.pt")))
    remove(Long(None))


def test_at_the_end_of_a_study_none_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    clear(folder)
    folder.mkdir()
    for name in ("trial-1.pt", "trial-1.pt.0a1b2c3d.part"):
        (folder / name).write_text("so far")
    clear(folder)
    assert not folder.exists()
