"""What the page says of a baseline that was tuned."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from automl.report.study.page import write_report
from automl.report.study.tuned import parts_words, tuned_baseline
from automl.study.results import Parts, PickParts
from automl.study.tuning import Tuning
from tests.worlds.report_studies import HUMAN, make_finals, rich_data, rich_history

TUNED = replace(HUMAN, embedding=replace(HUMAN.embedding, lr=0.05), train=replace(HUMAN.train, batch_size=512))
FOUND = Tuning(trainings=16, brought=HUMAN, tuned=TUNED, brought_ne=(0.87, 0.872), tuned_ne=(0.866, 0.867))


def test_both_are_told_with_their_spread_and_the_difference() -> None:
    told = tuned_baseline(FOUND)
    assert told is not None
    assert told.words == (
        "Every gain on this page is against the tuned baseline. As brought it has NE 0.8710 ± 0.0014, tuned 0.8665 ± "
        "0.0007 (−0.52%; validation window, 2 orders of the data, 16 trainings in all): embedding lr 0.02 → 0.05 and "
        "train batch size 1,024 → 512. Its architecture is as it was."
    )
    assert [line.strip() for mark, line in told.difference if mark == "+"] == ["lr: 0.05", "batch_size: 512"]


def test_a_model_as_brought_that_stays_is_told_too() -> None:
    told = tuned_baseline(replace(FOUND, tuned=HUMAN, trainings=10))
    assert told is not None
    assert told.words.endswith(
        "(10 trainings): none of the models tried beats the one as brought beyond noise, so it stays."
    )
    assert told.difference == ()
    assert tuned_baseline(None) is None


def test_the_page_holds_it(tmp_path: Path) -> None:
    plain = write_report(rich_data(), tmp_path).read_text("utf-8")
    assert "tuned baseline" not in plain
    page = write_report(replace(rich_data(), tuning=FOUND), tmp_path).read_text("utf-8")
    assert "Every gain on this page is against the tuned baseline." in page
    assert "The baseline as brought and as tuned" in page


def test_a_gain_is_told_in_its_parts() -> None:
    better = PickParts(
        trial=7,
        brought_gain_pct=-0.6,
        brought_ci_low_pct=-0.7,
        brought_ci_high_pct=-0.5,
        training_gain_pct=-0.05,
        architecture_gain_pct=-0.12,
        architecture_ci_low_pct=-0.2,
        architecture_ci_high_pct=-0.04,
    )
    unknown = dict.fromkeys(("training_gain_pct", "architecture_gain_pct"), math.nan)
    parts = Parts(
        brought_ne=0.87,
        brought_ne_std=0.001,
        tuned_gain_pct=-0.43,
        tuned_ci_low_pct=-0.5,
        tuned_ci_high_pct=-0.36,
        picks=(better, replace(better, trial=9, **unknown)),
    )
    found = replace(make_finals(rich_history()), parts=parts)
    assert parts_words(found) == (
        "On the test window the model as brought has NE 0.8700 ± 0.0010; tuning it alone gains −0.43% "
        "[−0.50% to −0.36%].",
        "#7 is −0.60% [−0.70% to −0.50%] against the model as brought: −0.43% are the training knobs of the tuned "
        "baseline, −0.17% the rest.",
        "#9 is −0.60% [−0.70% to −0.50%] against the model as brought: −0.43% are the training knobs of the tuned "
        "baseline, −0.17% the rest.",
        "Of what #7 gains over the tuned baseline, −0.05% are its own training knobs and −0.12% [−0.20% to −0.04%] its "
        "architecture.",
    )
    same = replace(parts, brought_ne=math.nan, picks=(replace(better, brought_gain_pct=math.nan),))
    assert len(parts_words(replace(found, parts=same))) == 1
    assert parts_words(None) == parts_words(make_finals(rich_history())) == ()
