"""A study at a multiple of its baseline's FLOPs: its baseline is the one of the file, widened, and its candidates cost
about as much.

What an engineer with more room to serve would do by hand is the control. So the most accurate candidate that is as fast
is the NE at equal cost, and the fastest that is no worse the cost at equal NE.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.study.places import study_folder
from automl.study.plain import Model
from search_spaces.banded import reach
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.space import SearchSpace
from search_spaces.tree import Words
from search_spaces.widened import NEAR, is_near, widened

if TYPE_CHECKING:
    from automl.study.problem import Problem

LEAST_SHARE, MOST_SHARE = 0.5, 1.1  # of the target: between these FLOPs candidates are proposed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """What a study was scaled to. FLOPs are of one row, forward pass."""

    factor: float  # asked for, of the FLOPs of the baseline as brought
    brought_flops: int
    flops: int  # of the widened baseline
    widened: Model  # as it was made of the one brought, before any tuning

    @property
    def target(self) -> float:
        """FLOPs that were asked for."""
        return self.factor * self.brought_flops

    @property
    def reached(self) -> float:
        """The factor that the widened baseline has."""
        return self.flops / self.brought_flops

    @property
    def ends(self) -> tuple[int, int]:
        """Fewest and most FLOPs of a candidate."""
        return math.ceil(LEAST_SHARE * self.target), math.floor(MOST_SHARE * self.target)

    @property
    def band(self) -> str:
        """The same as a constraint of their space."""
        return "{} <= flops <= {}".format(*self.ends)

    def __str__(self) -> str:
        return times(self.factor)


def times(factor: float) -> str:
    """A scale as it is typed: 8x."""
    return f"{factor:g}x"


def parse_scale(text: str) -> float:
    """`8x`, or `8`, to 8.0.

    Raises:
        ValueError: where it is no factor above 1.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x?", text.strip())
    if found is None or not float(found[1]) > 1:
        raise ValueError(f"must be a factor above 1, such as 8x, but found {text!r}")
    return float(found[1])


def checked_scale(factor: float) -> float:
    """The factor.

    Raises:
        InputError: where it is none that a study can be scaled by.
    """
    if not (math.isfinite(factor) and factor > 1):
        raise InputError.of("scale", "must be a factor above 1, such as 8", f"{factor:g}")
    return factor


def scaled_folder(folder: Path, factor: float) -> Path:
    """Where a scale of the study of a folder lives: in a folder of its own, beside the study's record."""
    return folder / f"scale-{times(factor)}"


def loaded_at(factor: float | None, file: Path, out: Path | None, load: Callable[[Path | None], Problem]) -> Problem:
    """The problem of a file as `load` reads it for a folder, at a scale where one is asked for: then that is a folder
    of its own, or `out`. One that was made for it goes again where the scale is refused: there is nothing in it but the
    log that told what the models would cost.

    Raises:
        InputError: as `load`, checked_scale and scaled_problem.
    """
    if factor is None:
        return load(out)
    folder = out or scaled_folder(study_folder(file), checked_scale(factor))
    is_new = not folder.exists()
    problem = load(folder)
    try:
        return scaled_problem(problem, factor)
    except InputError:
        if is_new:
            shutil.rmtree(problem.folder, ignore_errors=True)
        raise


def scaled_problem(problem: Problem, factor: float) -> Problem:
    """The problem at a multiple of its baseline's FLOPs.

    Raises:
        InputError: where the baseline cannot be widened so far, or the space has nothing that costs so much; where the
            study is of a family whose ledger hangs on its folder.
    """
    _check_family(problem)
    inputs, brought = problem.log.inputs, problem.baseline
    flops = brought.cost(inputs).flops
    wide = widened(brought, inputs, factor * flops)
    scaled = Scaled(factor=factor, brought_flops=flops, flops=wide.cost(inputs).flops, widened=wide)
    if not is_near(scaled.flops, scaled.target):
        must = f"the baseline must be widened to {scaled.target:,.0f} FLOPs a row (--scale {scaled}) within {NEAR:.0%}"
        found = f"{scaled.flops:,.0f} ({scaled.reached:.3g}x) with every width at its most"
        if scaled.flops > scaled.target:
            found = f"{scaled.flops:,.0f} ({scaled.reached:.3g}x) as the nearest"
        hint = "ask for another --scale, or give the baseline layers that have a width"
        raise InputError([Mistake(problem.document.at("baseline"), must, found, hint)])
    space = problem.space.with_where([Words(scaled.band, Position(f"--scale {scaled}"))])
    _check_reaches(space, scaled, problem)
    return problem.at_scale(scaled, space)


def _check_family(problem: Problem) -> None:
    finals = problem.config.finals
    if finals.family is not None and finals.ledger is None:
        must = "family must come with `ledger` where a study is scaled: its folder is not beside the study's"
        hint = "`finals: {ledger: FOLDER}` names one for all of them"
        raise InputError([Mistake(problem.document.at("finals", "family"), must, "none", hint)])


def _check_reaches(space: SearchSpace, scaled: Scaled, problem: Problem) -> None:
    """Something of the space must lie in the band, with all else that `where` asks."""
    try:
        space.random(np.random.default_rng(0))
    except InputError:
        low, high = reach(space.plan, space.flops, np.random.default_rng(0))
        least, most = scaled.ends
        must = f"the space must hold candidates of {least:,} to {most:,} FLOPs a row (--scale {scaled})"
        ends = [f"{flops:,.0f} ({flops / scaled.brought_flops:.3g}x)" for flops in (low, high)]
        found = f"none; its candidates have about {ends[0]} to {ends[1]}"
        hint = "name a space with wider layers (ctr-large goes to 26M), or ask for a smaller --scale"
        if low > most:
            hint = "name a space with narrower layers, or ask for a larger --scale"
        elif high >= least:
            hint = "its other constraints leave none: ease those on params, flops or activation_bytes"
        raise InputError([Mistake(problem.document.at("space"), must, found, hint)]) from None
