"""A search at a multiple of the baseline's FLOPs, by the real command: in a folder of its own, against the baseline
widened, and every later verb on it."""

from __future__ import annotations

from pathlib import Path

import pytest

import automl as toolkit
from search_spaces.space import load_model
from tests.worlds.commands import automl, automl_here, write_study

WIDE = """\
embedding: {dim: {choice: [4, 8]}, lr: {log: [0.01, 0.3], default: 0.05}}
interaction: {repeat: {int: [0, 2]}, one_of: {cross: {rank: {choice: [4, 8, 16]}}, fm: {}, linear: {}}}
deep: {repeat: {int: [1, 2]}, mlp: {width: {choice: [32, 64, 128, 256]}, dropout: {float: [0, 0.2]}}}
train: {batch_size: {choice: [64, 128]}, dense_lr: {log: [0.001, 0.01]}}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = write_study(tmp_path_factory.mktemp("scale"), rows=3_000)
    (file.parent / "space.yaml").write_text(WIDE)
    return file


@pytest.fixture(scope="module")
def said(file: Path) -> str:
    done = automl("search", file, "--scale", "8x", "--trials", "4", "--workers", "2")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_a_study_of_its_own_against_the_widened_baseline(file: Path, said: str) -> None:
    assert not (file.parent / "study.db").exists()
    study = toolkit.open_study(file.parent / "scale-8x")
    scaled, brought = study.facts.scaled, load_model(file.parent / "baseline.yaml")
    assert scaled is not None
    assert scaled.factor == 8
    assert scaled.reached == pytest.approx(8, rel=0.1)
    assert study.facts.baseline_key == brought.key
    assert study.history.baseline.candidate.model == scaled.widened
    flops = [trial.candidate.model.cost(study.space.inputs).flops for trial in study.history.trials]  # type: ignore[arg-type]
    assert all(0.5 * scaled.target <= one <= 1.1 * scaled.target for one in flops)
    found = study.scale_up()
    assert found is not None
    assert found.brought_qps_ratio > 1, "the one brought is trained on the same orders, and is faster"
    assert found.capacity_gain_pct == pytest.approx(100 * (found.widened_ne / found.brought_ne - 1), abs=0.05)
    assert found.core_hours > 0
    for line in ("scale      8x: target ", "as brought NE ", "equal cost ", "equal NE ", "core-hours "):
        assert line in said


def test_every_later_verb_is_of_that_study(file: Path, said: str) -> None:
    folder = file.parent / "scale-8x"
    assert "scale      8x: target " in automl_here("status", folder).stdout
    assert automl("replay", folder).stdout == "identical: 4 proposals\n"
    study = toolkit.open_study(folder)
    finals = study.finals(seeds=2, top=1, workers=1)
    assert finals.parts is not None
    assert finals.parts.brought_ne > 0, "the model as brought meets the test window too"
    assert study.export(folder / "model.automl", trial=finals.picks[0].trial)["parity"]
    page = study.report().read_text("utf-8")
    for words in ("At 8x the FLOPs", "NE at equal cost", "cost at equal NE", "gain per core-hour", "widening it alone"):
        assert words in page


def test_going_on_keeps_the_scale_and_another_is_refused(file: Path, said: str) -> None:
    folder = file.parent / "scale-8x"
    done = automl("search", file, "--scale", "8", "--trials", "4", "--workers", "1")
    assert done.returncode == 0, done.stderr
    for words, asked in ((["--scale", "4x"], "4x"), ([], "none")):
        refused = automl_here("search", file, "--out", folder, "--trials", "4", *words)
        assert refused.returncode == 2
        assert f"another `--scale` ({asked}; the record is of 8x)" in refused.stderr
    assert len(toolkit.open_study(folder).history.trials) == 4


@pytest.mark.parametrize(
    ("scale", "told"),
    [
        ("300x", "the space must hold candidates of 588,000 to 1,293,600 FLOPs a row (--scale 300x), but found none"),
        ("1e9", "must be a factor above 1, such as 8x, but found '1e9'"),
        ("1x", "must be a factor above 1, such as 8x, but found '1x'"),
        ("900000x", "the baseline must be widened to 3,528,000,000 FLOPs a row (--scale 900000x) within 10%"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_trained(file: Path, scale: str, told: str) -> None:
    refused = automl_here("search", file, "--scale", scale, "--trials", "4")
    assert refused.returncode == 2
    assert told in refused.stderr
    assert not (file.parent / f"scale-{scale}").exists()
