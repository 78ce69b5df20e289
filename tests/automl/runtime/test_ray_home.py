"""Where a Ray of our own lives, and what its processes know each other by."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.runtime import ray_home as module
from automl.runtime.errors import RunError
from automl.runtime.ray_home import credentials, ray_home


def test_what_a_killed_run_over_the_folder_has_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_places", lambda: (Path("/tmp"),))
    left = ray_home(tmp_path / "a")
    old = left.__enter__()
    with ray_home(tmp_path / "b"):
        assert old.is_dir(), "that of another folder"
    with ray_home(tmp_path / "a") as new:
        assert not old.exists()
        assert new.is_dir()


def test_without_a_place_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = (tmp_path / ("long" * 20), Path("/proc/none"))
    places[0].mkdir()
    monkeypatch.setattr(module, "_places", lambda: places)
    with pytest.raises(RunError, match=r"short name; tried .*/proc/none"), ray_home(tmp_path):
        pytest.fail("the block must not run")
    assert list(places[0].iterdir()) == []


@pytest.mark.parametrize(("home", "own"), [(None, True), ("/proc/none", True), ("{tmp}", False)])
def test_a_word_of_our_own_only_where_the_user_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None, own: bool
) -> None:
    for name in module._AUTH:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("theirs")
    if home is None:
        monkeypatch.setattr(Path, "home", _no_home)
    else:
        monkeypatch.setenv("HOME", home.format(tmp=tmp_path))
    credentials.cache_clear()
    try:
        assert ("RAY_AUTH_TOKEN" in credentials()) is own
        assert credentials() == credentials()
    finally:
        credentials.cache_clear()


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")
