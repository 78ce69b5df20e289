"""What a recipe looks like, the same in every chart, and the axis of windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl.report.common.plot import Json, safe

_FAMILIES = {
    "none": "baseline",
    "auto": "front",
    "plain": "stopped",
    "calibrated": "second",
    "auxiliary": "third",
    "both": "third",
    "adapter": "third",
}
_DASHES = (("solid", ""), ("dash", " dashed"), ("dot", " points"), ("dashdot", " dashed"))
_SYMBOLS = (("circle-open", ""), ("square-open", " square"), ("diamond-open", " turned"), ("hexagon-open", ""))
TEACHER = ("line-pick points", "teacher")
_LABEL_ROOM = 44  # letters of tick labels that a narrow axis has room for


@dataclass(frozen=True, slots=True)
class Look:
    """Colour of the palette, dash of the line, symbol of the mark, and the legend's swatches of both."""

    colour: str
    dash: str
    swatch: str
    symbol: str
    ring: str


def looks(recipes: Sequence[str]) -> dict[str, Look]:
    """One for each recipe: the colour is of its family, the dash, or the symbol, tells those of a family apart."""
    found: dict[str, Look] = {}
    for name in recipes:
        colour = _family(name)
        used = sum(look.colour == f"${colour}" for look in found.values())
        dash, style = _DASHES[used % len(_DASHES)]
        symbol, shape = _SYMBOLS[used % len(_SYMBOLS)]
        found[name] = Look(f"${colour}", dash, f"line-{colour}{style}", symbol, f"{swatch('ring', name)}{shape}")
    return found


def swatch(shape: str, recipe: str) -> str:
    """The legend's swatch of a recipe: bar, dot or ring."""
    return f"{shape}-{_family(recipe).replace('baseline', 'none')}"


def _family(recipe: str) -> str:
    return _FAMILIES.get(recipe.split(" ")[0].split("-")[0], "dim")


def window_axis(names: Sequence[str]) -> Json:
    """An axis of windows, numbered from 0; labels are thinned, and without what they have in common."""
    shared = _shared(names)
    short = [name[shared:] for name in names]
    longest = max((len(name) for name in short), default=1)
    most = max(2, _LABEL_ROOM // (longest + 2))
    step = max(1, -(-len(names) // most))
    shown = list(range(0, len(names), step))
    return {
        "tickvals": shown,
        "ticktext": [safe(short[k]) for k in shown],
        "range": [-0.6, len(names) - 0.4],
        "showgrid": False,
        "zeroline": False,
        "tickangle": 0,
        "title": {"text": f"window, {names[0][:shared].rstrip('- :')}" if shared else "window"},
    }


def _shared(names: Sequence[str]) -> int:
    """Letters that all names start with, up to the last that parts a name."""
    if len(names) < 2:
        return 0
    first, last = min(names), max(names)
    same = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return max(first[:same].rfind(mark) + 1 for mark in "- ")
