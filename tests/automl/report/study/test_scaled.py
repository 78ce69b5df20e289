"""A scale in words, for the page."""

from __future__ import annotations

from dataclasses import replace

from automl.report.study.scaled import scale_part
from automl.study.scale_up import ScaleUp, scale_up_of
from automl.study.scaled import Scaled
from search_spaces.blocks import Mlp
from tests.worlds.studies import HUMAN, baseline_repeat, candidates, complete, history, running

WIDENED = replace(HUMAN, deep=(Mlp(width=512, dropout=0.1),))
SCALED = Scaled(factor=8.0, brought_flops=10_000, flops=79_000, widened=WIDENED)


def found(*, trained: bool = True) -> ScaleUp:
    (one,) = candidates(1)
    trial = complete(running(3, one), ne=0.891, ratio=2.0, cpu_seconds=3600.0)
    brought = [baseline_repeat(repeat, 0.909) for repeat in range(3)] if trained else []
    return scale_up_of(history([trial]), brought, SCALED)


def test_tiles_tell_target_capacity_and_what_the_search_adds() -> None:
    part = scale_part(found(), HUMAN, tuned=False)
    assert part is not None
    assert part.title == "At 8x the FLOPs"
    tiles = {label: (number, small) for label, number, small in part.tiles}
    assert tiles["FLOPs target"] == ("80k", "8x of 10k a row as brought")
    assert tiles["widened baseline"] == ("79k", "FLOPs a row, 7.9x")
    assert tiles["widening alone"][0] == "−0.99%"
    assert tiles["widening alone"][1].endswith("NE 0.9000 against 0.9090 as brought")
    assert tiles["NE at equal cost"][0] == "−1.00%"
    assert "#3 at ×2.00 the QPS" in tiles["NE at equal cost"][1]
    assert tiles["cost at equal NE"] == ("×0.50", "#3: ×2.00 the QPS at NE −1.00%")
    assert tiles["gain per core-hour"] == ("−1.00%", "of NE at equal cost; 1 core-hours inside trials")
    assert "Candidates have 40k to 88k FLOPs a row" in part.words
    assert any("512" in line for _, line in part.difference)


def test_what_is_not_there_yet_is_said() -> None:
    part = scale_part(replace(found(trained=False), equal_cost=None, equal_ne=None), None, tuned=True)
    assert part is not None
    tiles = {label: (number, small) for label, number, small in part.tiles}
    assert tiles["widening alone"] == ("–", "the model as brought is not trained yet")
    assert tiles["NE at equal cost"] == ("–", "no trial is as fast as the widened baseline")
    assert tiles["cost at equal NE"][0] == "–"
    assert "by hand, tuned since." in part.words
    assert part.difference == ()


def test_a_study_without_a_scale_has_none() -> None:
    assert scale_part(None, None, tuned=False) is None
