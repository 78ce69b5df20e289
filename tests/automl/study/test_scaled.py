"""A problem at a multiple of its baseline's FLOPs: what is made of it, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from automl.data.store.log import EncodedLog
from automl.study.facts import Facts
from automl.study.problem import Problem
from automl.study.scaled import (
    Scaled,
    checked_scale,
    parse_scale,
    scaled_folder,
    scaled_problem,
)
from search_spaces.banded import reach
from search_spaces.errors import InputError
from search_spaces.model import Embedding, ModelSpec
from search_spaces.source import read_text
from search_spaces.space import load_space
from tests.worlds.studies import HUMAN, INPUTS, study_config, study_facts

TEXT = "name: ads\nspace: ctr-small\nbaseline: baseline.yaml\nfinals: {family: ads}\n"
FLOPS = HUMAN.cost(INPUTS).flops


def problem_in(folder: Path, baseline: ModelSpec = HUMAN, **changes: Any) -> Problem:
    log = SimpleNamespace(folder=folder / "log", fingerprint="f" * 32, inputs=INPUTS)
    return Problem(
        file=folder / "study.yaml",
        folder=folder,
        document=read_text(TEXT, "study.yaml"),
        config=study_config(**changes),
        space=load_space("ctr-small", INPUTS),
        baseline=baseline,
        log=cast(EncodedLog, log),
    )


@pytest.mark.parametrize(("text", "factor"), [("8x", 8), ("8", 8), ("2.5x", 2.5), (" 50x ", 50)])
def test_a_scale_is_read(text: str, factor: float) -> None:
    assert parse_scale(text) == factor
    assert checked_scale(factor) == factor


@pytest.mark.parametrize("text", ["1x", "0.5", "x", "-8x", "8 x", "1e3", "nan", ""])
def test_what_is_no_scale_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="must be a factor above 1, such as 8x, but found"):
        parse_scale(text)


@pytest.mark.parametrize("factor", [1.0, 0.0, -8.0, float("nan"), float("inf")])
def test_from_python_too(factor: float) -> None:
    with pytest.raises(InputError, match="must be a factor above 1"):
        checked_scale(factor)


def test_each_scale_has_a_folder_of_its_own() -> None:
    assert scaled_folder(Path("ads"), 8.0) == Path("ads/scale-8x")
    assert scaled_folder(Path("ads"), 2.5) == Path("ads/scale-2.5x")


def test_the_widened_baseline_stands_in_the_place_of_the_one_brought(tmp_path: Path) -> None:
    problem = problem_in(tmp_path)
    found = scaled_problem(problem, 4.0)
    scaled = found.scaled
    assert scaled is not None
    assert (found.baseline, found.brought) == (scaled.widened, HUMAN)
    assert (scaled.brought_flops, scaled.target) == (FLOPS, 4 * FLOPS)
    assert scaled.flops == scaled.widened.cost(INPUTS).flops
    assert scaled.reached == pytest.approx(4, rel=0.1)
    assert found.space.tree.where[-1].text == scaled.band
    assert (found.subject.baseline, found.subject.scaled) == (HUMAN.key, scaled)
    assert found.at_scale(scaled) == found
    assert problem.at_scale(None) is problem


def test_a_tuned_one_stands_in_the_place_of_the_widened_one(tmp_path: Path) -> None:
    found = scaled_problem(problem_in(tmp_path), 4.0)
    tuned = ModelSpec(embedding=Embedding(dim=8))
    assert (found.against(tuned).baseline, found.against(tuned).brought) == (tuned, HUMAN)
    assert found.against(tuned).subject.baseline == HUMAN.key


def test_facts_keep_it_and_say_what_gains_are_against() -> None:
    widened = ModelSpec(embedding=Embedding(dim=8))
    scaled = Scaled(factor=8.0, brought_flops=1000, flops=8100, widened=widened)
    facts = study_facts(scaled=scaled)
    assert Facts.of_json(cast(dict[str, object], facts.to_json())) == facts
    assert study_facts().compared_key == HUMAN.key
    assert facts.compared_key == widened.key
    assert study_facts(scaled=scaled, tuned=HUMAN).compared_key == HUMAN.key
    assert (scaled.target, scaled.reached, scaled.band) == (8000, 8.1, "4000 <= flops <= 8800")
    assert str(scaled) == "8x"


def test_a_baseline_that_cannot_be_so_wide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study.yaml:3:\d+: the baseline must be widened to .* \(--scale 9e\+08x\)"):
        scaled_problem(problem_in(tmp_path), 9e8)


def test_a_space_that_does_not_reach_so_far_says_what_it_reaches(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        scaled_problem(problem_in(tmp_path), 2000.0)
    text = str(refused.value)
    assert "study.yaml:2:8: the space must hold candidates of " in text
    assert "but found none; its candidates have about " in text
    assert "name a space with wider layers" in text


def test_constraints_that_leave_nothing_there_are_named_instead(tmp_path: Path) -> None:
    problem = problem_in(tmp_path)
    tight = Problem(**{**vars(problem), "space": problem.space.with_where([f"flops <= {FLOPS}"])})
    with pytest.raises(InputError, match="other constraints leave none"):
        scaled_problem(tight, 4.0)


def test_they_are_named_where_the_space_ends_below_the_target_too(tmp_path: Path) -> None:
    problem = problem_in(tmp_path)
    _, high = reach(problem.space.plan, problem.space.flops, np.random.default_rng(0))
    tight = Problem(**{**vars(problem), "space": problem.space.with_where([f"flops <= {FLOPS}"])})
    with pytest.raises(InputError, match="other constraints leave none"):
        scaled_problem(tight, 1.2 * high / FLOPS)


def test_a_space_that_begins_above_the_band_is_told_so(tmp_path: Path) -> None:
    tiny = replace(HUMAN, embedding=replace(HUMAN.embedding, dim=1), interaction=(), deep=())
    wide = problem_in(tmp_path, tiny).space.with_where([])
    low, _ = reach(wide.plan, wide.flops, np.random.default_rng(0))
    assert low > 3 * tiny.cost(INPUTS).flops
    with pytest.raises(InputError, match="narrower layers, or ask for a larger --scale"):
        scaled_problem(problem_in(tmp_path, tiny), 2.0)


def test_a_family_must_name_its_ledger(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="family must come with `ledger` where a study is scaled"):
        scaled_problem(problem_in(tmp_path, finals={"family": "ads"}), 4.0)


def test_in_a_database_each_scale_is_a_record_of_its_own(tmp_path: Path) -> None:
    assert scaled_problem(problem_in(tmp_path), 4.0).name == "ads"
    assert scaled_problem(problem_in(tmp_path, storage="postgresql://host/db"), 4.0).name == "ads at 4x"
