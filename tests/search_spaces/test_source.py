"""YAML with places: the core schema, positions, limits."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from search_spaces.errors import InputError, Position
from search_spaces.nodes import MAX_NODES, plain_scalar
from search_spaces.source import MAX_BYTES, Document, read, read_text, validate


def text_of(text: str) -> Document:
    return read_text(text, "f.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1.0e-4", 1e-4), (".5", 0.5), ("5.", 5.0), ("+7", 7), ("-0", 0), ("0x1F", 31), ("0o17", 15),
     ("017", 17), ("true", True), ("False", False), ("yes", "yes"), ("off", "off"), ("null", None), ("~", None),
     ("none", "none"), ("2022-04-25", "2022-04-25"), ("12:30", "12:30"), ("1_000", "1_000"), (".inf", float("inf")),
     ("-.INF", float("-inf")), ("1e", "1e"), ("0b1", "0b1"), ("9" * 401, "9" * 401)],
)  # fmt: skip
def test_scalars_of_the_core_schema(text: str, value: object) -> None:
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_are_text() -> None:
    assert text_of("a: '8'\nb: \"true\"\nc: |\n  1\n").data == {"a": "8", "b": "true", "c": "1\n"}


def test_places() -> None:
    document = text_of("a: &x {b: 1}\nc: *x\nlist:\n  - 1\n  - d: 2\n")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}, "list": [1, {"d": 2}]}
    assert document.at("a", "b") == Position("f.yaml", 1, 11)
    assert document.at("c") == Position("f.yaml", 2, 4)
    assert document.at_key("c") == Position("f.yaml", 2, 1)
    assert document.at("list", 1, "d") == Position("f.yaml", 5, 8)
    assert document.at("list", 7, "d") == document.at("list")
    assert document.at("nothing", "here") == Position("f.yaml", 1, 1)
    assert document.at_key("list", 1, "nothing") == document.at("list", 1)


@settings(max_examples=80, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-1000, 1000) | st.text("abc :#'\"-[]{}0", max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abcd", min_size=1, max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_reads_what_ruamel_writes(data: object) -> None:
    out = StringIO()
    YAML(typ="safe", pure=True).dump({"data": data}, out)
    assume(ruamel_reads(out.getvalue(), {"data": data}))
    assert text_of(out.getvalue()).data == {"data": data}


def ruamel_reads(text: str, data: object) -> bool:
    """It writes some plain scalars (`: '`) that it cannot read itself."""
    try:
        return bool(YAML(typ="safe", pure=True).load(text) == data)
    except YAMLError:
        return False


def test_an_alias_bomb_ends_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    with pytest.raises(InputError, match="aliases counted in full"):
        text_of("\n".join(lines))


def test_limits() -> None:
    with pytest.raises(InputError, match=f"at most {MAX_NODES:,} values"):
        text_of("a: [" + "1," * (MAX_NODES + 1) + "]")
    with pytest.raises(InputError, match="at most 256 KiB"):
        text_of("#" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="nested at most"):
        text_of("a:" + "".join(f"\n{' ' * i}b:" for i in range(1, 200)))
    with pytest.raises(InputError, match="nested at most"):
        text_of("a: " + "{b: " * 3000)


def test_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        read(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="a directory"):
        read(tmp_path)
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(file).data == {"a": 1}
    file.write_bytes(b"a: 1\nb: \xc3\x28\n")
    with pytest.raises(InputError, match=r"a\.yaml:2:4: must be UTF-8, but found the byte 0xc3"):
        read(file)
    file.write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="at most 256 KiB"):
        read(file)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Inner(Part):
    size: Annotated[int, Field(ge=1, le=9)] = 1
    kind: Literal["red", "green"] = "red"


class Outer(Part):
    name: str
    parts: dict[str, Inner] = Field(default_factory=dict)
    more: list[Inner] = Field(default_factory=list)
    alias_: bool = Field(default=False, alias="alias")


BROKEN = """parts:
  a: {size: 0, kind: blue}
  b: {sise: 3}
more: [{size: "3"}, {knd: red}]
alias: 1
nam: x
"""


def test_models_are_checked_at_their_places() -> None:
    with pytest.raises(InputError) as caught:
        validate(Outer, text_of(BROKEN))
    assert str(caught.value).splitlines() == [
        "f.yaml:1:1: must hold the key `name`",
        "f.yaml:2:13: must be at least 1, but found 0",
        "f.yaml:2:22: must be red or green, but found 'blue'",
        "f.yaml:3:7: unknown key `sise`",
        "    hint: did you mean `size`?",
        "f.yaml:4:15: must be an integer, but found '3'",
        "f.yaml:4:22: unknown key `knd`",
        "    hint: did you mean `kind`?",
        "f.yaml:5:8: must be true or false, but found 1",
        "f.yaml:6:1: unknown key `nam`",
        "    hint: did you mean `name`?",
    ]


def test_models_that_fit() -> None:
    assert validate(Outer, text_of("name: x\nalias: true\nparts: {a: {size: 3}}")).parts["a"].size == 3
    assert validate(Inner, text_of("name: x\nmore: [{}, {kind: green}]"), "more", 1).kind == "green"
