"""What a value in a space or model file may be: type, range or choices, default."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting. `kind` is int, float, bool or str; bounds are inclusive unless `above` is set. What came `late` is
    left out of a model's tree where it has its default: models that do not name it keep their keys. What `widens` is a
    width of the model, multiplied where it is made larger (search_spaces/widened.py)."""

    kind: type
    default: Value
    ge: float | None = None
    le: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    doc: str = ""
    late: bool = False
    widens: bool = False

    def fault(self, value: object) -> str | None:
        """What must hold and does not, in words; None where the value is good."""
        if not self._right_type(value):
            return f"must be {_KIND_WORDS[self.kind]}"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if isinstance(value, float) and not math.isfinite(value):
            return "must be finite"
        if isinstance(value, int | float) and not isinstance(value, bool):
            if self.ge is not None and value < self.ge:
                return f"must be at least {self.ge:g}"
            if self.above is not None and value <= self.above:
                return f"must be above {self.above:g}"
            if self.le is not None and value > self.le:
                return f"must be at most {self.le:g}"
        return None

    def _right_type(self, value: object) -> bool:
        if self.kind is float:
            return isinstance(value, int | float) and not isinstance(value, bool)
        if self.kind is int:
            return isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, self.kind)


_KIND_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a word"}


def knob(
    default: Value,
    *,
    ge: float | None = None,
    le: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] = (),
    doc: str = "",
    late: bool = False,
    widens: bool = False,
) -> Any:
    """A dataclass field that carries its Knob."""
    meta = Knob(type(default), default, ge, le, above, choices, doc, late, widens)
    return dataclasses.field(default=default, metadata={"knob": meta})


def knobs_of(spec: type) -> dict[str, Knob]:
    """The knobs of a spec class by name, in the order of the class. Remembered: every spec that is made asks."""
    found = _KNOBS.get(spec)
    if found is None:
        found = {f.name: f.metadata["knob"] for f in dataclasses.fields(spec) if "knob" in f.metadata}
        _KNOBS[spec] = found
    return found


_KNOBS: dict[type, dict[str, Knob]] = {}


class Checked:
    """Base of spec dataclasses: every knob is checked where the spec is made.

    Raises:
        ValueError: naming the knob, what must hold and what was found.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, meta in knobs_of(type(self)).items():
            value = getattr(self, name)
            fault = meta.fault(value)
            if fault:
                raise ValueError(f"{name} {fault}, but found {value!r}")
            if meta.kind is float:
                object.__setattr__(self, name, float(value))
