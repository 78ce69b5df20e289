"""A made-up ExFM run for the page to show: windows, students and recipes as many as are asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from automl.exfm.das.counts import AGE_EDGES_HOURS
from automl.study.exfm_figures import AUTO, NONE, PartFigures, RecipeFigures, RecipeGain, TeacherFigures
from automl.study.exfm_results import (
    DasCounts,
    ExfmResult,
    ModelCost,
    RunFacts,
    StreamWindow,
    StudentResult,
    TeacherResult,
)
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
) -> ExfmResult:
    """What a run has found; the second half of the windows is scored."""
    rng = np.random.default_rng(seed)
    names = [f"2022-05-{day:02d}" for day in range(1, days + 1)]
    first = days // 2

    def recipe(name: str, base: float, shift: float, whole: bool) -> RecipeFigures:
        pct = 0.0 if name == NONE else gain_pct + shift + rng.normal(0, 0.02)
        gain = RecipeGain.single(pct=pct, low_pct=pct - half_width_pct, high_pct=pct + half_width_pct, p=p)
        ne = base * (1 + pct / 100)
        return RecipeFigures(
            name=name,
            ne=ne,
            ne_by_seed=(ne,) * seeds,
            calibration=1.0 + rng.normal(0, 0.01),
            gain=None if name == NONE else gain.corrected(min(1.0, 2 * p)) if whole else gain,
            transfer_ratio=pct / headroom_pct if whole and name != NONE and headroom_pct < 0 else math.nan,
        )

    def figures(name: str, rows: int, shift: float) -> PartFigures:
        base = float(0.9 + rng.normal(0, 0.01))
        ne = base * (1 + headroom_pct / 100)
        return PartFigures(
            name=name,
            rows=rows,
            base_rate=0.4,
            teacher=TeacherFigures(coverage=0.99, ne=ne, calibration=1.002, headroom_pct=headroom_pct),
            recipes={one: recipe(one, base, shift, name == "all") for one in recipes},
        )

    def run(name: str, k: int) -> RunFacts:
        auto = name == AUTO
        return RunFacts(
            vm="",
            recipe=name,
            seed=k,
            spec=SMALL,
            serving=ARMS[1 + k % 3] if auto else name,
            choices=("none", *(ARMS[int(rng.integers(4))] for _ in names[1:])) if auto else (name,) * days,
            muted=tuple(auto and muted and day > days // 2 for day in range(days - 1)),
            rows=50_000,
            train_seconds={arm: 1.0 + 0.1 * i for i, arm in enumerate(ARMS)} if auto else {name: 0.9},
        )

    def student(k: int) -> StudentResult:
        return StudentResult(
            name=f"v{k + 1}",
            own="auto",
            label=("click", "long_view", "like")[k % 3],
            rows=80_000,
            cost=ModelCost(400_000 * (1 + k % 3), 42_000),
            all=figures("all", 40_000, 0.05 * k),
            windows=tuple(figures(name, 5_000, 0.05 * k + rng.normal(0, 0.1)) for name in names[first:]),
            segments={name: figures(name, 2_000, 0.05 * k) for name in SEGMENTS},
            runs={name: tuple(run(name, s) for s in range(seeds)) for name in recipes},
        )

    return ExfmResult(
        name="made-up",
        tasks=("click", "long_view"),
        notes=("12 rows lie outside of the days",),
        score_from=first,
        seeds=seeds,
        windows=tuple(StreamWindow(name, 10_000 + 10 * k, k >= first) for k, name in enumerate(names)),
        teacher=TeacherResult(
            model=SMALL,
            members=3,
            cost=ModelCost(3_000_000, 1_500_000),
            snapshot_every_s=3600.0,
            age_s=0.0,
            refusals=(),
            train_seconds=47.0,
            ticks=24 * days,
        ),
        das=DasCounts(
            examples=80_000,
            scored=79_200,
            calls=79_200,
            duplicates=3,
            labels=160_000,
            late=40,
            never=7,
            ages=(70_000, 9_000, 200, *[0] * (len(AGE_EDGES_HOURS) - 2)),
            seconds=8.0,
            core_seconds=7.0,
            age_edges_hours=AGE_EDGES_HOURS,
            coverage=0.99,
            calls_per_example=1.0,
            rows_per_second=9_900.0,
            core_seconds_per_student=54.0 / students,
        ),
        students={f"v{k + 1}": student(k) for k in range(students)},
        wall_seconds=190.0,
        machine="Linux x86_64, 2 cores",
        versions={"torch": "2.13.0"},
    )


def with_student(result: ExfmResult, name: str, **changes: object) -> ExfmResult:
    """The run with another student of that name."""
    return replace(result, students={**result.students, name: replace(result.students[name], **changes)})


def with_recipe(part: PartFigures, name: str, **changes: object) -> PartFigures:
    """Figures with others of that recipe."""
    recipes: Mapping[str, RecipeFigures] = {**part.recipes, name: replace(part.recipes[name], **changes)}
    return replace(part, recipes=recipes)


def one_class(result: ExfmResult, name: str, window: int | None) -> ExfmResult:
    """The same run where a window of a student, or all its rows, hold one class: only the rows are known."""
    student = result.students[name]
    windows = tuple(_bare(part) if window in (None, k) else part for k, part in enumerate(student.windows))
    if window is not None:
        return with_student(result, name, windows=windows)
    segments = {segment: _bare(part) for segment, part in student.segments.items()}
    return with_student(result, name, all=_bare(student.all), windows=windows, segments=segments)


def _bare(part: PartFigures) -> PartFigures:
    return PartFigures(name=part.name, rows=part.rows)


def silent() -> ExfmResult:
    """A run whose teacher never scored a row."""
    found = make_exfm(1)
    student = found.students["v1"]
    unheard = TeacherFigures(coverage=0.0)
    recipes = {name: replace(recipe, transfer_ratio=math.nan) for name, recipe in student.all.recipes.items()}
    whole = replace(student.all, teacher=unheard, recipes=recipes)
    windows = tuple(replace(part, teacher=unheard) for part in student.windows)
    none = replace(found.das, scored=0, calls=0, ages=(0,) * 12, coverage=0.0)
    das = replace(none, calls_per_example=math.nan, rows_per_second=math.nan)
    return replace(with_student(found, "v1", all=whole, windows=windows), das=das)


def untimed() -> ExfmResult:
    """A run whose clocks stood still."""
    found = make_exfm(1)
    runs = {
        name: tuple(replace(run, train_seconds=dict.fromkeys(run.train_seconds, 0.0)) for run in each)
        for name, each in found.students["v1"].runs.items()
    }
    return with_student(found, "v1", runs=runs)


def poor_runs() -> dict[str, ExfmResult]:
    """Runs that lack something."""
    return {
        "no recipe with a teacher": make_exfm(1, recipes=("none",)),
        "a teacher that never spoke": silent(),
        "one scored window": make_exfm(1, days=2),
        "a window of one class": one_class(make_exfm(2), "v1", 1),
        "a student of one class": one_class(make_exfm(2), "v2", None),
        "all of one class": one_class(make_exfm(1), "v1", None),
        "no times": untimed(),
        "no segments": with_student(make_exfm(2), "v1", segments={}),
        "many": make_exfm(20, recipes=("none", "auto", "plain", "plain-averaged", "auxiliary"), muted=True),
    }
