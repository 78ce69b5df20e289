"""A made-up ExFM run for the page to show: windows, students and recipes as many as are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.exfm.das.counts import AGE_EDGES_HOURS
from search_spaces.blocks import Mlp
from search_spaces.model import Embedding, ModelSpec

SMALL = ModelSpec(embedding=Embedding(dim=8), deep=(Mlp(width=64), Mlp(width=32)))
ARMS = ("none", "plain-averaged", "calibrated-averaged", "auxiliary-averaged")
SEGMENTS = ("new user", "heavy user", "new video")


def make_exfm(
    students: int = 2,
    *,
    gain_pct: float = -0.5,
    headroom_pct: float = -1.2,
    half_width_pct: float = 0.2,
    p: float = 0.001,
    recipes: tuple[str, ...] = ("none", "auto", "plain"),
    days: int = 8,
    seeds: int = 3,
    muted: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """exfm.json; the second half of the windows is scored."""
    rng = np.random.default_rng(seed)
    names = [f"2022-05-{day:02d}" for day in range(1, days + 1)]
    first = days // 2

    def figures(rows: int, shift: float, whole: bool = False) -> dict[str, Any]:
        base = float(0.9 + rng.normal(0, 0.01))
        shown: dict[str, Any] = {}
        for name in recipes:
            pct = 0.0 if name == "none" else gain_pct + shift + rng.normal(0, 0.02)
            gain = None
            if name != "none":
                gain = {"pct": pct, "low_pct": pct - half_width_pct, "high_pct": pct + half_width_pct, "p": p}
                if whole:
                    gain["p_corrected"] = min(1.0, 2 * p)
            ne = base * (1 + pct / 100)
            shown[name] = {"ne": ne, "ne_by_seed": [ne] * seeds, "calibration": 1.0 + rng.normal(0, 0.01), "gain": gain}
            if whole and name != "none":
                shown[name]["transfer_ratio"] = pct / headroom_pct if headroom_pct < 0 else None
        teacher = {"coverage": 0.99, "ne": base * (1 + headroom_pct / 100), "calibration": 1.002}
        teacher["headroom_pct"] = headroom_pct
        return {"rows": rows, "base_rate": 0.4, "teacher": teacher, "recipes": shown}

    def run(name: str, k: int) -> dict[str, Any]:
        auto = name == "auto"
        return {
            "vm": "",
            "recipe": name,
            "seed": k,
            "spec": SMALL.to_tree(),
            "serving": ARMS[1 + k % 3] if auto else name,
            "choices": ["none", *(ARMS[int(rng.integers(4))] for _ in names[1:])] if auto else [name] * days,
            "muted": [auto and muted and day > days // 2 for day in range(days - 1)],
            "rows": 50_000,
            "train_seconds": {arm: 1.0 + 0.1 * i for i, arm in enumerate(ARMS)} if auto else {name: 0.9},
        }

    def student(k: int) -> dict[str, Any]:
        return {
            "own": "auto",
            "label": ("click", "long_view", "like")[k % 3],
            "rows": 80_000,
            "cost": {"params": 400_000 * (1 + k % 3), "flops": 42_000},
            "all": figures(40_000, 0.05 * k, whole=True),
            "windows": [{"name": name, **figures(5_000, 0.05 * k + rng.normal(0, 0.1))} for name in names[first:]],
            "segments": {name: figures(2_000, 0.05 * k) for name in SEGMENTS},
            "runs": {name: [run(name, s) for s in range(seeds)] for name in recipes},
        }

    return {
        "name": "made-up",
        "tasks": ["click", "long_view"],
        "notes": ["12 rows lie outside of the days"],
        "score_from": first,
        "seeds": seeds,
        "windows": [{"name": name, "rows": 10_000 + 10 * k, "scored": k >= first} for k, name in enumerate(names)],
        "teacher": {
            "model": SMALL.to_tree(),
            "members": 3,
            "cost": {"params": 3_000_000, "flops": 1_500_000},
            "snapshot_every_s": 3600.0,
            "age_s": 0.0,
            "refusals": [],
            "train_seconds": 47.0,
            "ticks": 24 * days,
        },
        "das": {
            "examples": 80_000,
            "scored": 79_200,
            "calls": 79_200,
            "duplicates": 3,
            "labels": 160_000,
            "late": 40,
            "never": 7,
            "ages": [70_000, 9_000, 200, *[0] * (len(AGE_EDGES_HOURS) - 2)],
            "seconds": 8.0,
            "core_seconds": 7.0,
            "age_edges_hours": list(AGE_EDGES_HOURS),
            "coverage": 0.99,
            "calls_per_example": 1.0,
            "rows_per_second": 9_900.0,
            "core_seconds_per_student": 54.0 / students,
        },
        "students": {f"v{k + 1}": student(k) for k in range(students)},
        "wall_seconds": 190.0,
        "machine": "Linux x86_64, 2 cores",
        "versions": {"torch": "2.13.0"},
    }


def one_class(found: dict[str, Any], student: str, window: int | None) -> dict[str, Any]:
    """The same run where a window of a student, or all its rows, hold one class: only the rows are known."""
    facts = found["students"][student]
    if window is None:
        facts["all"] = {"rows": facts["all"]["rows"]}
        facts["windows"] = [{"name": w["name"], "rows": w["rows"]} for w in facts["windows"]]
        facts["segments"] = {name: {"rows": part["rows"]} for name, part in facts["segments"].items()}
    else:
        facts["windows"][window] = {"name": facts["windows"][window]["name"], "rows": facts["windows"][window]["rows"]}
    return found
