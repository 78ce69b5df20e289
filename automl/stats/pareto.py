"""The plane that a search is judged in: NE gain in percent and -log2 of the QPS ratio, both minimised.

Hypervolume is measured from one stated reference near the baseline: NE 1% worse, half its QPS. A reference far away
would reward models that nobody would ship.
"""

from __future__ import annotations

from typing import Final

import moocore
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

REFERENCE: Final = (1.0, 1.0)


def objectives(gain_pct: Floats, qps_ratio: Floats) -> Floats:
    """Points (n, 2): NE gain in percent, -log2 of the QPS ratio."""
    return np.column_stack([gain_pct, -np.log2(np.asarray(qps_ratio, dtype=np.float64))])


def front(points: Floats) -> Mask:
    """Which points no other one dominates; equal points are all kept, points with a NaN never."""
    points = _as_points(points)
    mask: Mask = np.asarray(np.isfinite(points).all(axis=1))
    if mask.any():
        mask[mask] = moocore.is_nondominated(points[mask], keep_weakly=True)
    return mask


def hypervolume(points: Floats, reference: tuple[float, float] = REFERENCE) -> float:
    """Area that the points dominate up to the reference; points beyond it or with a NaN add nothing."""
    inside = _inside(_as_points(points), reference)
    return float(moocore.hypervolume(inside, ref=reference)) if len(inside) else 0.0


def contributions(points: Floats, reference: tuple[float, float] = REFERENCE) -> Floats:
    """(n,): hypervolume that would be lost without each point; of two equal points neither would be missed."""
    points = _as_points(points)
    lost = np.zeros(len(points))
    inside = _inside_mask(points, reference)
    if inside.any():
        lost[inside] = moocore.hv_contributions(points[inside], ref=reference, ignore_dominated=False)
    return lost


def leaders(points: Floats, reference: tuple[float, float] = REFERENCE) -> NDArray[np.intp]:
    """Numbers of the points that no other one dominates, the largest hypervolume contribution first."""
    index = np.flatnonzero(front(points))
    return np.asarray(index[np.argsort(-contributions(points[index], reference), kind="stable")], dtype=np.intp)


def improvements(candidates: Floats, points: Floats, reference: tuple[float, float] = REFERENCE) -> Floats:
    """(n,): hypervolume that each candidate, alone, would add to that of the points.

    The staircase of the points has height h_i on [x_i, x_i+1]; a candidate (a, b) adds the area of it above b and
    right of a.
    """
    inside = _inside(_as_points(points), reference)
    stairs = inside[front(inside)]
    stairs = stairs[np.lexsort((stairs[:, 1], stairs[:, 0]))]
    edges = np.concatenate([[-np.inf], stairs[:, 0], [reference[0]]])
    heights = np.concatenate([[reference[1]], stairs[:, 1]])
    candidates = _as_points(candidates)
    a, b = candidates[:, :1], candidates[:, 1:]
    wide = np.maximum(edges[1:] - np.maximum(edges[:-1], a), 0.0)
    high = np.maximum(heights - b, 0.0)
    return np.asarray(np.nan_to_num((wide * high).sum(axis=1), nan=0.0), dtype=np.float64)


def _as_points(points: Floats) -> Floats:
    return np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 2)


def _inside_mask(points: Floats, reference: tuple[float, float]) -> Mask:
    return np.asarray(np.isfinite(points).all(axis=1) & (points < np.asarray(reference)).all(axis=1), dtype=bool)


def _inside(points: Floats, reference: tuple[float, float]) -> Floats:
    return points[_inside_mask(points, reference)]
