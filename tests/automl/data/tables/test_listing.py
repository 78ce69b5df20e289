from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from automl.data.tables.listing import list_files
from search_spaces.errors import InputError, Position
from tests.worlds.folders import HOSTILE, hostile_names

AT = Position("study.yaml", 2, 9)


def listed(path: str, base: Path) -> list[str]:
    listing = list_files(path, base, AT)
    return [listing.relative(file) for file in listing.files]


def logs(folder: Path) -> Path:
    """Two days of a log in a folder."""
    for day in ("day=1", "day=2"):
        (folder / "log" / day).mkdir(parents=True)
        (folder / "log" / day / "part.csv").write_text("a\n1\n")
    return folder


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("path", ["log", "log/*", "log/day=[12]/part.csv", "./log/**/*.csv"])
def test_the_name_of_the_folder_of_a_file_is_no_pattern(tmp_path: Path, name: str, path: str) -> None:
    for other in ("exp1", "aXb", "x", "ab"):  # what names would match, were they patterns
        logs(tmp_path / other)
    found = listed(path, logs(tmp_path / name))
    assert len(found) == 2
    assert all(file.endswith("part.csv") for file in found)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_folder_that_is_there_is_taken_so_in_a_pattern_of_its_own(tmp_path: Path, name: str) -> None:
    for other in ("exp1", "aXb", "x", "ab"):
        logs(tmp_path / other)
    folder = logs(tmp_path / name)
    assert (
        listed(f"./{name}/log/day=*", tmp_path)
        == listed(f"{folder}/log/day=*", tmp_path / "x")
        == [
            "day=1/part.csv",
            "day=2/part.csv",
        ]
    )


@given(name=hostile_names())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_folder_holds_its_own_files_only(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text("a\n1\n")
    assert listed("*.csv", folder) == ["a.csv"]
    assert list_files("a.csv", folder, AT).files == (f"{folder}/a.csv",)


@pytest.mark.parametrize(
    "pattern", ["[z-a].csv", "[^", "[!]", "a[", "[[]", "[]x]", "***", "[\\]", "[a&&b].csv", "(?P<x>"]
)
def test_any_pattern_can_be_looked_up(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "q.csv").write_text("a\n1\n")
    with suppress(InputError):  # nothing matches it
        listed(pattern, tmp_path)


def test_marks_of_a_pattern_mean_what_they_mean_in_a_shell(tmp_path: Path) -> None:
    for name in ("a^b.csv", "a!b.csv", "a-b.csv", "a\\b.csv", "ab.csv"):
        (tmp_path / name).write_text("a\n1\n")
    assert listed("a[!-^]b.csv", tmp_path) == ["a!b.csv", "a\\b.csv"]
    assert listed("a[-^]b.csv", tmp_path) == ["a-b.csv", "a^b.csv"]
    assert listed("a[\\]b.csv", tmp_path) == ["a\\b.csv"]
