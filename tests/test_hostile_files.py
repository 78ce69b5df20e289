"""Whatever stands in a file, wrong input is told as such: small changes to the examples of the pages, and bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.fuzz import TARGETS
from search_spaces.errors import InputError

QUICK = ("space", "model", "study", "exfm", "data", "expression", "finals", "exfm_json", "table")
WORDS = [
    b"",
    b"\0",
    b"\xff",
    b"-",
    b": ",
    b"{",
    b"[",
    b"]",
    b'"',
    b"'",
    b"!!x ",
    b"&a ",
    b"*a",
    b"null",
    b"1e999",
    b"\n",
]
WORDS += [
    b"-1",
    b"0x",
    b"9" * 30,
    b".nan",
    b"true",
    b"<<: ",
    b"% ",
    b"\t",
    b"[" * 2000,
    b"? ",
    "é".encode(),
    b"..",
    b"/",
]
Reader = Callable[[bytes], object]


@cache
def reader(name: str, folder: Path) -> tuple[Reader, list[bytes]]:
    work = folder / name
    work.mkdir(exist_ok=True)
    return TARGETS[name].make(work), sorted(set(TARGETS[name].seeds(work)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.parametrize("name", QUICK)
@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_nothing_but_wrong_input_is_raised(home: Path, name: str, data: st.DataObject) -> None:
    read, seeds = reader(name, home)
    held = data.draw(st.sampled_from(seeds))
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(held)))
        end = data.draw(st.integers(start, min(len(held), start + 30)))
        held = held[:start] + data.draw(st.sampled_from(WORDS) | st.binary(max_size=4)) + held[end:]
    with suppress(InputError):
        read(held)


@pytest.mark.parametrize("name", QUICK)
def test_what_is_nested_without_end_is_told(home: Path, name: str) -> None:
    read, _ = reader(name, home)
    first = {"data": b"A", "table": b"\x02"}.get(name, b"")  # which tells the kind of what follows
    for deep in (b"[" * 50_000, b"{a: " * 5_000, b"(" * 5_000, b'{"a":' * 5_000, b"- " * 5_000, b"not " * 5_000):
        with suppress(InputError):
            read(first + deep)
