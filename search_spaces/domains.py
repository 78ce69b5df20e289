"""One knob of a file: a value, or a domain to search. Shape by pydantic, ranges against the knob of the block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from search_spaces.decisions import Choice, Domain, Integer, Real
from search_spaces.errors import InputError, Mistake
from search_spaces.knobs import Knob, Value
from search_spaces.nodes import Step, brief
from search_spaces.source import Document, did_you_mean, shown, validate
from search_spaces.tree import Question, Setting, Words

KINDS = ("choice", "int", "float", "log")

MOST = 1 << 53
MOST_VALUES = 1 << 20

Pair = Annotated[list[object], Field(min_length=2, max_length=2)]


class _Node(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    default: object = None
    when: str | None = None


class ChoiceNode(_Node):
    """`{choice: [16, 32]}`"""

    choice: Annotated[list[object], Field(min_length=1)]


class IntNode(_Node):
    """`{int: [32, 256], step: 32}`, both ends included."""

    ends: Pair = Field(alias="int")
    step: Annotated[int, Field(ge=1)] = 1


class FloatNode(_Node):
    """`{float: [0, 0.4]}`"""

    ends: Pair = Field(alias="float")


class LogNode(_Node):
    """`{log: [1.0e-4, 1.0e-2]}`: drawn evenly over magnitudes; integers where the knob is one."""

    ends: Pair = Field(alias="log")


_NODES: dict[str, type[_Node]] = {"choice": ChoiceNode, "int": IntNode, "float": FloatNode, "log": LogNode}


class Read(NamedTuple):
    """What came of a knob; no setting where there are mistakes."""

    setting: Setting | None
    mistakes: list[Mistake]


def open_knob(document: Document, path: tuple[Step, ...], data: object, knob: Knob) -> Read:
    """A knob of a space file."""
    if not isinstance(data, dict):
        return fixed_knob(document, path, data, knob)
    kinds = [kind for kind in data if kind in KINDS]
    if len(kinds) != 1:
        must = "a domain must hold one of choice, int, float, log"
        place = document.at_key(*path, kinds[1]) if kinds else document.at(*path)
        hint = next((close for key in data if (close := did_you_mean(key, KINDS)).startswith("did")), "")
        return Read(None, [Mistake(place, must, " and ".join(kinds) or _keys_of(data), "" if kinds else hint)])
    kind = kinds[0]
    try:
        node = validate(_NODES[kind], document, *path)
    except InputError as error:
        return Read(None, list(error.mistakes))
    step = node.step if isinstance(node, IntNode) else 1
    mistakes = list(_faults(document, path, kind, data[kind], step, knob))
    domain = None if mistakes else _domain(kind, data[kind], step, knob)
    if domain is None:
        return Read(None, mistakes)
    default = _default(domain, knob) if "default" not in data else _typed(data["default"], knob)
    if default is None or not domain.has(default):
        place, given = document.at(*path, "default"), data["default"] if default is None else default
        return Read(None, [Mistake(place, "the default must be a value of the domain", shown(given))])
    when = None if node.when is None else Words(node.when, *document.at_text(*path, "when"))
    return Read(Question(domain, default, when), [])


def fixed_knob(document: Document, path: tuple[Step, ...], data: object, knob: Knob) -> Read:
    """A knob with a value."""
    fault = _fault(knob, data)
    if fault:
        return Read(None, [Mistake(document.at(*path), f"{path[-1]} {fault}", shown(data))])
    return Read(_typed(data, knob), [])


def _fault(knob: Knob, value: object) -> str | None:
    """The fault of the knob; an integer must also be exact as a float64."""
    fault = knob.fault(value)
    if fault is None and isinstance(value, int) and abs(value) > MOST:
        return f"must be at most {MOST}"
    return fault


def _typed(value: object, knob: Knob) -> Value | None:
    """`0` for a knob that is a float is 0.0; None for what no knob may be."""
    if knob.kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if isinstance(value, bool | int | float | str) else None


def _faults(
    document: Document, path: tuple[Step, ...], kind: str, values: list[object], step: int, knob: Knob
) -> Iterator[Mistake]:
    name = path[-1]
    if kind != "choice" and (knob.kind is str or knob.kind is bool):
        word = "a word" if knob.kind is str else "true or false"
        yield Mistake(document.at_key(*path, kind), f"{name} is {word} and must have a choice", kind)
        return
    if (kind == "float" and knob.kind is int) or (kind == "int" and knob.kind is float):
        good = "int, log or choice" if knob.kind is int else "float, log or choice"
        word = "an integer" if knob.kind is int else "a number"
        yield Mistake(document.at_key(*path, kind), f"{name} is {word} and must have {good}", kind)
        return
    faulty = False
    for index, value in enumerate(values):
        fault = _fault(knob, value)
        if fault:
            faulty = True
            yield Mistake(document.at(*path, kind, index), f"{name} {fault}", shown(value))
    if not faulty:
        yield from _range_faults(document, path, kind, values, step, knob)


def _range_faults(
    document: Document, path: tuple[Step, ...], kind: str, values: list[object], step: int, knob: Knob
) -> Iterator[Mistake]:
    place = document.at(*path, kind)
    if kind == "choice":
        for index, value in enumerate(values):
            if value in values[:index]:
                again = document.at(*path, kind, index)
                yield Mistake(again, "the options of a choice must differ", f"{shown(value)} again")
        return
    low, high = _numbers(values)
    if kind == "log" and low <= 0:
        yield Mistake(document.at(*path, kind, 0), "a log range must lie above 0", shown(low))
    elif low > high:
        yield Mistake(place, "a range must go from low to high", f"{low} to {high}", f"write [{high}, {low}]")
    elif low == high:
        yield Mistake(place, "a range must hold more than one value", f"{low} to {high}", f"to fix it write {low}")
    elif knob.kind is int:
        if (high - low) // step >= MOST_VALUES:
            found = f"{(high - low) // step + 1:,}"
            yield Mistake(place, f"a range must hold at most {MOST_VALUES:,} integers", found, "take a larger step")
        elif (high - low) % step:
            last = low + (high - low) // step * step
            must = f"the high end must be reached from {low} in steps of {step}"
            yield Mistake(document.at(*path, kind, 1), must, shown(high), f"the last value is {last}")


def _domain(kind: str, values: list[object], step: int, knob: Knob) -> Domain:
    if kind == "choice":
        return Choice(tuple(typed for value in values if (typed := _typed(value, knob)) is not None))
    low, high = _numbers(values)
    if knob.kind is int:
        return Integer(int(low), int(high), step, log=kind == "log")
    return Real(float(low), float(high), log=kind == "log")


def _numbers(values: list[object]) -> tuple[int | float, int | float]:
    """Both ends of a range whose values have no fault of their own."""
    low, high = values
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    return low, high


def _default(domain: Domain, knob: Knob) -> Value:
    """The model's own default where the domain holds it, else the nearest value."""
    return domain.nearest(knob.default)


def _keys_of(data: dict[str, object]) -> str:
    return brief(", ".join(data)) or "an empty mapping"
