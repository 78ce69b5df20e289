"""What the page says of a baseline that was tuned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from automl.report.study.page import write_report
from automl.report.study.tuned import tuned_baseline
from automl.study.tuning import Tuning
from tests.worlds.report_studies import HUMAN, rich_data

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
