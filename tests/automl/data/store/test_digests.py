from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.data.store.digests import wrong_in
from automl.data.store.folder import Kind

KIND: Kind[dict[str, Any]] = Kind("log", "an encoded log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "abc"
    (folder / "encoders").mkdir(parents=True)
    np.save(folder / "labels.npy", np.arange(6.0))
    (folder / "encoders" / "user.json").write_text("[1, 2]")
    KIND.write(folder, {"fingerprint": "abc", "rate": float("nan"), "windows": {"train": (0, 6)}})
    return folder


def permuted(folder: Path) -> None:
    np.save(folder / "labels.npy", np.arange(6.0)[::-1])


def cut(folder: Path) -> None:
    file = folder / "labels.npy"
    file.write_bytes(file.read_bytes()[:-8])


def other_facts(folder: Path) -> None:
    file = folder / "facts.json"
    file.write_text(file.read_text().replace("6", "5", 1))


def test_what_was_written_is_what_is_there(folder: Path) -> None:
    assert wrong_in(folder) is None
    assert wrong_in(folder, "abc") is None
    assert set(KIND.open(folder).facts["files"]) == {"labels.npy", "encoders/user.json"}


@pytest.mark.parametrize(
    ("damage", "wrong"),
    [
        (permuted, "labels.npy"),
        (cut, "labels.npy"),
        (lambda folder: (folder / "encoders" / "user.json").unlink(), "encoders/user.json"),
        (lambda folder: (folder / "facts.json").unlink(), "facts.json"),
        (lambda folder: (folder / "facts.json").write_text("[]"), "facts.json"),
        (lambda folder: (folder / "facts.json").write_bytes(bytes(100)), "facts.json"),
        (other_facts, "facts.json"),
    ],
)
def test_the_file_that_is_another_is_named(folder: Path, damage: Callable[[Path], object], wrong: str) -> None:
    assert wrong_in(folder) is None
    damage(folder)
    assert wrong_in(folder) == wrong
    assert not KIND.current(folder)


def test_columns_of_another_log_are_not_those_of_the_name(folder: Path) -> None:
    assert wrong_in(folder, "abd") == "facts.json"


def test_a_folder_is_read_once_and_what_is_read_is_told(folder: Path) -> None:
    heard: list[str] = []
    for _ in range(2):
        assert wrong_in(folder, passed=lambda what, done, total: heard.append(what)) is None
    assert heard == ["MiB checked"] * 2, "once each file"


def test_facts_without_digests_tell_nothing(folder: Path) -> None:
    facts = json.loads((folder / "facts.json").read_text())
    del facts["digest"]
    (folder / "facts.json").write_text(json.dumps(facts))
    assert wrong_in(folder) == "facts.json"
