"""Where the files of a study lie, as its folder tells it: copied, moved, and told by an older release."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.study.places import found, plugins_found, study_folder, told
from search_spaces.errors import InputError
from search_spaces.plugins import digest_of

STUDY = "plugins: [own/blocks.py]\n"


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_file_is_told_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "ads"
    for file in (folder / "study.yaml", tmp_path / "ads.yaml", tmp_path / "elsewhere" / "x.yaml"):
        write(file, STUDY)
        assert not Path(told(file, folder)).is_absolute()
        assert found(told(file, folder), folder, "go on") == file
    (folder / "study.yaml").unlink()
    with pytest.raises(InputError, match=r"study\.yaml: must be there: .*, but found no such file\n.*: go on"):
        found("study.yaml", folder, "go on")


def test_a_folder_by_another_name_is_the_same(tmp_path: Path) -> None:
    file = write(tmp_path / "real" / "study.yaml", STUDY)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    link = tmp_path / "deep" / "er" / "link"
    link.symlink_to(tmp_path / "real")
    assert told(link / "study.yaml", tmp_path / "real") == "study.yaml"
    other = write(tmp_path / "deep" / "study.yaml", STUDY)
    assert found(told(other, link), tmp_path / "real", "go on") == other
    assert found(told(file, link), link, "go on") == file


def test_an_absolute_place_gives_way_to_a_file_of_ones_own(tmp_path: Path) -> None:
    """Which is in the folder, or beside a folder of its name."""
    original, folder = write(tmp_path / "a" / "ads.yaml", STUDY), tmp_path / "b" / "ads"
    assert found(str(original), folder, "go on") == original
    beside = write(tmp_path / "b" / "ads.yaml", "# ours\n")
    assert found(str(original), folder, "go on") == beside
    assert found(str(original), tmp_path / "b" / "out", "go on") == original
    inside = write(folder / "ads.yaml", "# ours\n")
    assert found(str(original), folder, "go on") == inside


def test_plug_ins_are_those_of_the_copy(tmp_path: Path) -> None:
    original = write(tmp_path / "a" / "own" / "blocks.py", "1\n")
    digest = digest_of(original)
    own = write(tmp_path / "b" / "own" / "blocks.py", "1\n")
    folder, before = tmp_path / "b", str(tmp_path / "a" / "study.yaml")
    for name, file in (("own/blocks.py", "study.yaml"), (str(original), before)):
        assert plugins_found({name: digest}, folder, file, STUDY) == {str(own): digest}
        own.write_text("2\n")
        assert plugins_found({name: digest}, folder, file, STUDY) == {str(own): digest}, "to be refused"
    assert plugins_found({str(original): digest}, folder, before, None) == {str(original): digest}
    own.unlink()
    assert plugins_found({"own/blocks.py": ""}, folder, "study.yaml", STUDY) == {str(own): ""}, "to be told as missing"


def test_where_a_study_lives() -> None:
    assert study_folder(Path("a/study.yaml")) == Path("a")
    assert study_folder(Path("a/ctr.yaml")) == Path("a/ctr")
