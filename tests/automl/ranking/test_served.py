"""An exported file that is not as it was written is refused with a sentence, by the command and from Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl.data.columns.numbers import Scales
from automl.data.store.encoders import Encoders
from automl.ranking.export import ExportError, Proof, export_model
from automl.ranking.features import read
from automl.ranking.model import build_model
from automl.ranking.scoring import score
from automl.ranking.served import load_served
from search_spaces.errors import InputError
from tests.worlds.commands import automl_here
from tests.worlds.models import planted, spec

Held = dict[str, bytes]
LOG = planted(rows=300, ids=12)
ENCODERS = Encoders(
    tuple(f"f{k}" for k in range(LOG.inputs.fields)),
    tuple(f"d{k}" for k in range(LOG.inputs.dense)),
    tuple(pa.array([10 * k + f for k in range(1, len(ids) + 1)]) for f, ids in enumerate(LOG.inputs.id_counts)),
    Scales(np.zeros(LOG.inputs.dense), np.ones(LOG.inputs.dense), (False,) * LOG.inputs.dense),
)
ROWS = pa.table(
    {
        **{f"f{k}": 10 * LOG.ids_NF[:, k].astype(np.int64) + k for k in range(LOG.inputs.fields)},
        **{f"d{k}": LOG.dense_ND[:, k].astype(np.float64) for k in range(LOG.inputs.dense)},
    }
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("served") / "m.automl"
    model = build_model(spec(), LOG.inputs, seed=0)
    export_model(model, ENCODERS, file, {"trial": 3}, features=read(LOG, slice(0, 300)))
    return file


def parts_of(file: Path) -> Held:
    with ZipFile(file) as held:
        return {name: held.read(name) for name in held.namelist()}


def edited(file: Path, to: Path, edit: Callable[[Held], object]) -> Path:
    parts = parts_of(file)
    edit(parts)
    with ZipFile(to, "w") as out:
        for name, content in parts.items():
            out.writestr(name, content)
    return to


def exchanged(parts: Held) -> None:
    names = "encoders/000.arrow", "encoders/001.arrow"
    parts.update(zip(names, [parts[name] for name in reversed(names)], strict=True))


def facts(**changes: Any) -> Callable[[Held], object]:
    def edit(parts: Held) -> None:
        parts["facts.json"] = json.dumps({**json.loads(parts["facts.json"]), **changes}).encode()

    return edit


def older(**changes: Any) -> Callable[[Held], object]:
    """Encoders of a file that tells no digests."""

    def edit(parts: Held) -> None:
        facts(format=1)(parts)
        told = json.loads(parts["encoders/encoders.json"])
        parts["encoders/encoders.json"] = json.dumps({**told, **changes}).encode()

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (exchanged, "another encoders/000.arrow than was written with it"),
        (lambda parts: parts.pop("encoders/001.arrow"), "no encoders/001.arrow in it"),
        (lambda parts: parts.update({"model.pt2": parts["model.pt2"][:-9]}), "another model.pt2 than was written"),
        (lambda parts: parts.pop("facts.json"), "facts.json"),
        (facts(parts=None), "facts.json that tells no digests of the other parts"),
        (facts(tasks="click"), "facts.json whose `tasks` is none"),
        (facts(tasks=["click", "buy"]), "model.pt2 that predicts 1 tasks, and facts.json with 2"),
        (facts(negatives_kept="half"), "facts.json whose `negatives_kept` is none"),
        (facts(past={"file": "m.past"}), "facts.json whose `past` is none"),
        (facts(about=[]), "facts.json whose `about` is none"),
        (lambda parts: parts.update({"facts.json": b"[1]"}), "None"),
        (older(fields="f0"), "encoders without the names of their features"),
        (older(mean=[0.0]), "encoders whose `mean` is not one value for each of"),
        (older(fields=["f0"]), "model.pt2 that does not read what the encoders give"),
        (older(time="noon"), ""),
        (lambda parts: (older()(parts), parts.update({"model.pt2": b"PK"})), "its graph cannot be read"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused(
    file: Path, tmp_path: Path, edit: Callable[[Held], object], told: str
) -> None:
    with pytest.raises(InputError, match="must be an exported model") as refused:
        load_served(edited(file, tmp_path / "m", edit))
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_the_command_refuses_it_too(file: Path, tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    assert automl_here("predict", file, tmp_path / "rows.parquet").returncode == 0
    done = automl_here("predict", edited(file, tmp_path / "m", exchanged), tmp_path / "rows.parquet")
    assert done.returncode == 2
    assert "another encoders/000.arrow than was written with it" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_an_older_release_is_read(file: Path, tmp_path: Path) -> None:
    before = edited(file, tmp_path / "m", older())
    np.testing.assert_array_equal(load_served(before).predict(ROWS), load_served(file).predict(ROWS))


def test_a_file_is_proved_on_raw_rows(tmp_path: Path) -> None:
    """Encoders that are not those of the weights predict something else of rows that the model has seen."""
    model = build_model(spec(), LOG.inputs, seed=0)
    proof = Proof(ROWS, score(model, LOG, slice(0, 300)))
    told = export_model(model, ENCODERS, tmp_path / "m", {}, features=read(LOG, slice(0, 300)), proof=proof)
    assert told["parity"]["raw_rows"] == 300
    shifted = [pa.array([20 + value.as_py() for value in values], values.type) for values in ENCODERS.values]
    wrong = Encoders(ENCODERS.fields, ENCODERS.dense, tuple(shifted), ENCODERS.scales)
    with pytest.raises(ExportError, match="must predict of the log's own rows what the model predicted of them"):
        export_model(model, wrong, tmp_path / "n", {}, features=read(LOG, slice(0, 300)), proof=proof)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
