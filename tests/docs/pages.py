"""The documentation as text: pages, sections, tables and fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """A fenced block: the words after the fence, its text, where it stands."""

    words: tuple[str, ...]
    text: str
    place: str


def page(name: str) -> str:
    """A page of docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def fences(*words: str) -> list[Fence]:
    """The blocks of all pages that are marked with these words."""
    found = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Fence(tuple(match[1].split()), match[2], f"{path.relative_to(ROOT)}:{line}"))
    return [fence for fence in found if fence.words[: len(words)] == words]


def without_fences(text: str) -> str:
    """The page without its blocks: a comment in one is no heading."""
    return _FENCE.sub("", text)


def section(text: str, title: str) -> str:
    """What stands below a heading, as far as the next one of its level or above."""
    text = without_fences(text)
    for match in _HEADING.finditer(text):
        if match[2] == title:
            rest = text[match.end() :]
            end = next((m.start() for m in _HEADING.finditer(rest) if len(m[1]) <= len(match[1])), len(rest))
            return rest[:end]
    raise AssertionError(f"there must be a section {title!r}")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    titles = (match[2] for match in _HEADING.finditer(without_fences(text)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows; rulers are left out, an escaped bar is a bar."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not re.fullmatch(r"[|\-: ]+", line)]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def names(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)
