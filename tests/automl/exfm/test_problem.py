"""ExFM files that are broken, with every word that is said of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from automl.data.simulated.stream import simulate_stream
from automl.exfm.problem import load_exfm
from search_spaces.errors import InputError

GOLDEN = Path(__file__).parent / "golden"
BROKEN = sorted(GOLDEN.glob("*.yaml"))
WHOLE_FILE = {"empty"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated stream, and all files beside it."""
    folder = tmp_path_factory.mktemp("streams")
    simulate_stream(folder / "log", rows=1200, users=60, items=30, days=3, seed=1)
    for path in BROKEN:
        shutil.copy(path, folder)
    shutil.copytree(GOLDEN / "parts", folder / "parts")
    return folder


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_says_what_is_wrong(path: Path, folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_exfm(folder / path.name, folder / "out")
    found = str(caught.value).replace(f"{folder}{os.sep}", "") + "\n"
    expected = path.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")


def test_every_mistake_has_a_place() -> None:
    for path in BROKEN:
        for line in path.with_suffix(".txt").read_text("utf-8").splitlines():
            place = line.split(" ", 1)[0]
            assert line.startswith(" ") or place.count(":") == 3 or path.stem in WHOLE_FILE, (path.name, line)


def test_there_is_a_text_for_every_file_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in BROKEN}
