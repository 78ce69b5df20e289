from __future__ import annotations

from pathlib import Path

import pytest

from automl.runtime.host import PACKAGES, cores, free_memory, machine, room, versions


def test_what_a_run_was_made_with_is_told() -> None:
    assert set(versions()) == set(PACKAGES)
    assert versions()["numpy"][0].isdigit()
    assert "cores" in machine()


def test_what_is_free_is_told_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    found = room(tmp_path / "a" / "b")
    assert found.disk_bytes == pytest.approx(room(tmp_path).disk_bytes, rel=0.1)
    assert found.cores == cores() >= 1
    assert found.memory_bytes > 0
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 500\ninactive_file 150\n"}, 450),
        ({"memory.max": "100", "memory.current": "700", "memory.stat": "inactive_file 0\n"}, 0),
        ({"memory.max": "max", "memory.current": "700", "memory.stat": "inactive_file 0\n"}, None),
        ({}, None),
    ],
)
def test_a_control_group_may_leave_less_than_the_system(
    tmp_path: Path, files: dict[str, str], left: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    free = free_memory(tmp_path)
    assert free > 1000 if left is None else free == left
