"""Zips whose parts are told by digests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from automl.files.parts import Parts, hold_parts

Held = dict[str, bytes]


def written(file: Path) -> object:
    with ZipFile(file, "w") as out:
        parts = Parts(out)
        for name, content in (("a", b"1"), ("b", "2")):
            parts.write(name, content)
        digests = dict(parts.digests)
        parts.write("facts.json", json.dumps(digests), packed=False)
    return digests


def test_what_was_written_is_held(tmp_path: Path) -> None:
    digests = written(tmp_path / "z")
    with ZipFile(tmp_path / "z") as held:
        hold_parts(held, "facts.json", digests)
        assert json.loads(held.read("facts.json")) == digests


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda parts: parts.pop("a"), "no a in it"),
        (lambda parts: parts.update(a=parts["b"], b=parts["a"]), "another a than was written with it"),
        (lambda parts: parts.update(b=b""), "another b than was written with it"),
        (lambda parts: parts.update(c=b"3"), "a part c that was not written with it"),
    ],
)
def test_what_is_missing_exchanged_cut_or_foreign_is_named(
    tmp_path: Path, edit: Callable[[Held], object], told: str
) -> None:
    digests = written(tmp_path / "z")
    with ZipFile(tmp_path / "z") as held:
        parts = {name: held.read(name) for name in held.namelist()}
    edit(parts)
    with ZipFile(tmp_path / "z", "w") as out:
        for name, content in parts.items():
            out.writestr(name, content)
    with ZipFile(tmp_path / "z") as held, pytest.raises(ValueError, match=told):
        hold_parts(held, "facts.json", digests)


@pytest.mark.parametrize("digests", [None, [], {"a": 1}])
def test_facts_without_digests_are_refused(tmp_path: Path, digests: object) -> None:
    written(tmp_path / "z")
    with ZipFile(tmp_path / "z") as held, pytest.raises(ValueError, match="tells no digests"):
        hold_parts(held, "facts.json", digests)
