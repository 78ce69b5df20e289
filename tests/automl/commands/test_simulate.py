"""`automl simulate` writes a log or a stream, and tells the NE that no model can beat."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from automl.cli import WRONG_INPUT, automl
from automl.data.simulated.stream import simulate_stream
from search_spaces.errors import InputError

SMALL = ["--rows", "3000", "--users", "100", "--items", "50", "--days", "3", "--seed", "4"]


def test_a_stream_with_its_options(tmp_path: Path) -> None:
    more = ["--stream", "--domains", "2", "--drift", "0.6", "--delay-hours", "5"]
    done = CliRunner().invoke(automl, ["simulate", str(tmp_path / "a"), *SMALL, *more])
    assert done.exit_code == 0
    same = simulate_stream(
        tmp_path / "b", rows=3000, users=100, items=50, days=3, seed=4, domains=2, drift=0.6, delay_hours=5.0
    )
    assert (tmp_path / "a" / "log.parquet").read_bytes() == (tmp_path / "b" / "log.parquet").read_bytes()
    assert json.loads((tmp_path / "a" / "truth.json").read_text())["settings"]["delay_hours"] == 5
    starts = [line.split("   ")[0].strip() for line in done.output.splitlines()[:-1]]
    assert starts == ["2024-03-04", "2024-03-05", "2024-03-06", "domain 0", "domain 1", "all"]
    assert f"Bayes NE: click {same.bayes_ne_by_day['click']['2024-03-04']:.4f}, convert " in done.output
    again = CliRunner().invoke(automl, ["simulate", str(tmp_path / "a"), *SMALL, "--stream"])
    assert isinstance(again.exception, InputError)


def test_without_stream_it_is_the_log_that_it_was(tmp_path: Path) -> None:
    done = CliRunner().invoke(automl, ["simulate", str(tmp_path), *SMALL])
    assert done.exit_code == 0
    assert "domain" not in pq.read_schema(tmp_path / "log.parquet").names
    assert [line.split()[0] for line in done.output.splitlines()[:3]] == ["train", "validate", "test"]


@pytest.mark.parametrize(
    ("words", "must"),
    [
        (["--drift", "0.5", "--domains", "2"], "--domains, --drift must come with --stream"),
        (["--stream", "--drift", "2"], "Invalid value for '--drift'"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, words: list[str], must: str) -> None:
    done = CliRunner().invoke(automl, ["simulate", str(tmp_path), *words])
    assert done.exit_code == WRONG_INPUT
    assert must in done.output
    assert not list(tmp_path.iterdir())


def test_what_has_one_class_has_no_ne(tmp_path: Path) -> None:
    tiny = ["--rows", "1000", "--days", "3", "--stream", "--domains", "100"]
    done = CliRunner().invoke(automl, ["simulate", str(tmp_path), *tiny])
    assert "not defined" in done.output
    assert "nan" not in done.output
