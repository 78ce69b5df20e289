"""What the pages point to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, without_fences

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall(without_fences(path.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = path if not file else path.parent / file
        assert there.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_experiments_and_make_targets_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"python -m experiments\.(\w+)", text):
        assert name == "NAME" or any((ROOT / "experiments" / there).exists() for there in (f"{name}.py", name)), name
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)`", text)) <= targets


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_of_the_tree_that_are_named_exist(path: Path) -> None:
    text = without_fences(path.read_text(encoding="utf-8"))
    for name in re.findall(r"`((?:automl|search_spaces|predictors|experiments|tests|docs)/[\w./-]+)`", text):
        if "NAME" not in name:
            assert (ROOT / name).exists(), f"{path.name} names {name}"
