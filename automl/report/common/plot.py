"""The few shapes that the figures are built from. A Figure is Plotly's own JSON plus what the page sets around it.

Colours are names of the page's palette behind a dollar sign (`$front`): the script puts the theme's value in their
place, so that one figure serves light and dark. A marker's `customdata` is a trial number (or "baseline"): the page
shows its card.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One chart: traces and layout for Plotly, words for the reader."""

    name: str
    title: str
    caption: str
    data: list[Json]
    layout: Json
    height: int = 320
    legend: tuple[tuple[str, str], ...] = ()  # (swatch, words); swatches are classes of the style sheet
    views: Mapping[str, Json] = field(default_factory=dict)  # name of a view -> layout changes, the first is shown
    axes: Mapping[str, Json] = field(default_factory=dict)  # name of an x axis -> {title, x: [one list a trace]}

    def to_json(self) -> Json:
        """Plain data with None for what is not a number."""
        parts = {"name": self.name, "data": self.data, "layout": self.layout, "height": self.height}
        made = {**parts, "views": dict(self.views), "axes": dict(self.axes)}
        return {name: plain(part) for name, part in made.items()}


@dataclass(frozen=True, slots=True)
class Nothing:
    """In a chart's place: why there is none."""

    title: str
    reason: str


def plain(value: object) -> object:
    """JSON without NaN, infinities and NumPy types."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def safe(text: object) -> str:
    """A user's text for Plotly, which reads a little HTML in labels."""
    return html.escape(str(text), quote=False)


def dots(
    name: str, x: Iterable[object], y: Iterable[object], trials: Iterable[object], marker: Json, **extra: object
) -> Json:
    """Markers that stand for trials; the page shows a trial's card where one is touched."""
    base = {"type": "scatter", "mode": "markers", "name": name, "hoverinfo": "none", "marker": marker}
    return {**base, "x": list(x), "y": list(y), "customdata": list(trials), **extra}


def line(name: str, x: Iterable[object], y: Iterable[object], style: Json, **extra: object) -> Json:
    """A line without markers."""
    base = {"type": "scatter", "mode": "lines", "name": name, "hoverinfo": "skip", "line": style}
    return {**base, "x": list(x), "y": list(y), **extra}


def bars(name: str, values: Sequence[float], labels: Sequence[str], colour: str, hover: Sequence[str]) -> Json:
    """Horizontal bars, the first on top (the axis is reversed)."""
    base = {"type": "bar", "orientation": "h", "name": name, "marker": {"color": colour}}
    return {
        **base,
        "x": list(values),
        "y": list(labels),
        "text": list(hover),
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }


def rule(axis: str, value: float, colour: str, dash: str = "solid", width: float = 1.0) -> Json:
    """A line across the whole chart at `value` of the axis x or y, below the data."""
    other = "y" if axis == "x" else "x"
    return {
        "type": "line",
        f"{axis}0": value,
        f"{axis}1": value,
        f"{other}0": 0,
        f"{other}1": 1,
        f"{other}ref": "paper",
        "layer": "below",
        "line": {"color": colour, "width": width, "dash": dash},
    }


def band(low: float, high: float, colour: str) -> Json:
    """A shaded range of y across the chart."""
    return {
        "type": "rect",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": low,
        "y1": high,
        "layer": "below",
        "fillcolor": colour,
        "line": {"width": 0, "color": colour},
    }


def padded(low: float, high: float, share: float = 0.06, least: float = 1e-6) -> tuple[float, float]:
    """A range with air at both ends."""
    pad = max((high - low) * share, least)
    return low - pad, high + pad
