"""Exported models: the file predicts what the model predicts, whatever the batch, and nothing else is in it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from automl.data.columns.numbers import Scales
from automl.data.store.encoders import Encoders, ServedTime
from automl.ranking import export
from automl.ranking.batches import Chunk, Lesson
from automl.ranking.distill import TeacherLoss
from automl.ranking.export import ExportError, export_model, graph_signature, load_served
from automl.ranking.features import Features, read
from automl.ranking.model import Ranker, RankingModel, build_member, build_model
from automl.ranking.place import put
from automl.ranking.scoring import score
from automl.ranking.stepper import Stepper
from automl.stats.metrics import undo_sampling
from search_spaces.errors import InputError
from search_spaces.model import Distill, InputShape
from tests.docs.pages import ROOT
from tests.worlds.models import BLOCKS, INPUTS, planted, spec
from tests.worlds.processes import PATIENCE_S

FUSED = {"cross": {"rank": 3}, "dot": {"compress": 3}, "linear": {}, "fuse": "concat"}
DEEP = [{"mlp": {"width": 8, "norm": "batch", "dropout": 0.2}}, {"mlp": {"width": 4, "norm": "layer"}}]
LOG = planted(rows=700, ids=12)
ROWS = read(LOG, slice(0, 700))


def encoders_for(inputs: InputShape) -> Encoders:
    """Value 10 k has id k."""
    fields = tuple(f"f{k}" for k in range(inputs.fields))
    values = tuple(pa.array([10 * k for k in range(1, len(counts) + 1)]) for counts in inputs.id_counts)
    mean, scale = np.linspace(-1, 1, inputs.dense), np.linspace(1, 2, inputs.dense)
    return Encoders(
        fields, tuple(f"d{k}" for k in range(inputs.dense)), values, Scales(mean, scale, (False,) * inputs.dense)
    )


def table_of(rows: slice, inputs: InputShape) -> pa.Table:
    """The planted log as raw columns."""
    encoders = encoders_for(inputs)
    ids = {name: 10 * LOG.ids_NF[rows, f].astype(np.int64) for f, name in enumerate(encoders.fields)}
    raw = LOG.dense_ND[rows, : inputs.dense].astype(np.float64) * encoders.scales.scale_D + encoders.scales.mean_D
    return pa.table({**ids, **{name: raw[:, d] for d, name in enumerate(encoders.dense)}})


def shaken(model: Ranker) -> Ranker:
    """Weights and running moments as after a training."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in (*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())):
            part.add_(torch.rand(part.shape, generator=generator) * 0.3)
    return model


def exported(model: Ranker, file: Path, **options: Any) -> Any:
    return export_model(model, encoders_for(model.inputs), file, {"trial": 3}, features=ROWS, **options)


@pytest.mark.parametrize(
    ("layer", "members"),
    [*((layer, 1) for layer in (*BLOCKS, FUSED)), (FUSED, 3)],
    ids=lambda part: " ".join(part) if isinstance(part, dict) else str(part),
)
def test_a_file_predicts_what_the_model_predicts(layer: dict[str, Any], members: int, tmp_path: Path) -> None:
    model = shaken(build_model(spec(interaction=[layer], deep=DEEP, members=members), LOG.inputs, seed=0))
    told = exported(model, tmp_path / "m.automl")
    assert told["parity"]["max_probability_difference"] <= 1e-6
    served = load_served(tmp_path / "m.automl")
    whole = score(model, LOG, slice(0, 700))
    for rows in (slice(0, 700), slice(3, 4), slice(5, 5)):
        found = served.predict(table_of(rows, LOG.inputs))
        assert found.shape == (rows.stop - rows.start,)
        np.testing.assert_allclose(found, whole[rows], rtol=0, atol=1e-6)


def test_a_model_without_dense_features_and_a_parallel_one(tmp_path: Path) -> None:
    inputs = replace(LOG.inputs, dense=0)
    model = shaken(build_model(spec(wiring="parallel", interaction=[{"fm": {}}]), inputs, seed=0))
    none = np.zeros((700, 0), np.float32)
    export_model(model, encoders_for(inputs), tmp_path / "m", {}, features=Features.of(LOG.ids_NF, none))
    found = load_served(tmp_path / "m").predict(table_of(slice(0, 700), inputs))
    with torch.inference_mode():
        expected = model.eval()(Features.of(LOG.ids_NF, none)).sigmoid().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_several_tasks_are_columns(tmp_path: Path) -> None:
    model = shaken(build_member(spec(), LOG.inputs, seed=0, tasks=2))
    exported(model, tmp_path / "m", tasks=("click", "buy"))
    served = load_served(tmp_path / "m")
    assert served.tasks == ("click", "buy")
    found = served.predict(table_of(slice(0, 700), LOG.inputs))
    with torch.inference_mode():
        expected = model.eval()(ROWS).sigmoid().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert served.predict(table_of(slice(0, 0), LOG.inputs)).shape == (0, 2)


def test_sampled_negatives_are_corrected_and_ids_beyond_the_cut_off_left_out(tmp_path: Path) -> None:
    model = shaken(build_model(spec(embedding={"dim": 4, "min_count": 5}), INPUTS, seed=0))
    exported(model, tmp_path / "m", negatives_kept=0.25)
    served = load_served(tmp_path / "m")
    assert [len(values) for values in served.encoders.values] == [5, 2, 4]
    found = served.predict(table_of(slice(0, 700), INPUTS))
    learned = score(model, LOG, slice(0, 700))
    np.testing.assert_allclose(found, undo_sampling(learned, 0.25), atol=1e-6)
    assert served.facts["about"] == {"trial": 3}


def test_a_graph_that_predicts_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = shaken(build_model(spec(), LOG.inputs, seed=0))
    real = export.serving_graph

    def wrong(model: RankingModel) -> Ranker:
        served = real(model)
        served.head.bias.add_(1e-3)
        return served

    monkeypatch.setattr(export, "serving_graph", wrong)
    with pytest.raises(ExportError, match="must predict what the model predicts"):
        exported(model, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_encoders_of_another_model_are_refused(tmp_path: Path) -> None:
    model = build_model(spec(), LOG.inputs, seed=0)
    with pytest.raises(ValueError, match="the encoders must be those"):
        export_model(
            model,
            encoders_for(LOG.inputs).select(["f0"], []),
            tmp_path / "m",
            {},
            features=ROWS,
        )


def test_export_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = shaken(build_model(spec(deep=DEEP), LOG.inputs, seed=0)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    exported(model, tmp_path / "m")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(part.requires_grad for part in model.parameters())


@pytest.mark.parametrize("heads", ["auxiliary", "adapter", "both", "plain"])
def test_a_student_of_a_teacher_serves_the_same_graph(heads: str) -> None:
    alone = spec(deep=DEEP)
    student = replace(alone, distill=Distill(heads=heads))
    model = build_model(student, LOG.inputs, seed=0)
    before = graph_signature(build_model(alone, LOG.inputs, seed=5))
    loss = TeacherLoss(student.distill or Distill(), model.head, tasks=2, own=0, seed=0)
    lesson = Lesson(torch.randn(64, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(64))
    list(Stepper(model.train(), student, loss).steps(Chunk(ROWS[:64], put(LOG.labels_N[:64]), lesson=lesson)))
    assert graph_signature(model) == before
    assert student.cost(LOG.inputs) == alone.cost(LOG.inputs)


def test_other_models_have_other_signatures() -> None:
    models = [spec(), spec(deep=DEEP), spec(embedding={"dim": 8}), spec(interaction=[{"fm": {}}])]
    found = [graph_signature(build_model(model, LOG.inputs, seed=0)) for model in models]
    assert len(set(found)) == len(models)
    assert any("aten.linear" in line and "float32[B, 16]" in line for line in found[0])


def test_what_is_no_exported_model_is_told(tmp_path: Path) -> None:
    file = tmp_path / "m"
    with pytest.raises(InputError, match="must be an exported model"):
        load_served(file)
    file.write_text("no zip")
    with pytest.raises(InputError, match="must be an exported model"):
        load_served(file)
    with ZipFile(file, "w") as held:
        held.writestr("facts.json", '{"format": 99}')
    with pytest.raises(InputError, match="of format 2 or 1, but found 99"):
        load_served(file)


LEAN = """
import sys
from importlib.machinery import ModuleSpec

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            return ModuleSpec(name, self)

    def create_module(self, spec):
        raise ImportError(spec.name + " must not be needed to serve")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Blocked())
import pyarrow.parquet as pq
from automl.ranking.served import load_served
print(*load_served(sys.argv[1]).predict(pq.read_table(sys.argv[2])).tolist())
"""

PLAIN = """
import io, json, sys, zipfile
import numpy as np, torch

with zipfile.ZipFile(sys.argv[1]) as held:
    program = torch.export.load(io.BytesIO(held.read("model.pt2")))
    facts = json.loads(held.read("facts.json"))
ids, dense = (torch.from_numpy(np.load(f"{{sys.argv[2]}}/{{name}}.npy")) for name in ("ids", "dense"))
with torch.inference_mode():
    print(*program.module()(ids, dense).double().sigmoid().tolist())
assert facts["tasks"] == ["label"] and not [name for name in sys.modules if name.startswith("automl")]
"""


def run(script: str, *words: Path) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return [float(word) for word in done.stdout.split()]


def test_another_process_serves_it_with_torch_numpy_and_pyarrow_alone(tmp_path: Path) -> None:
    inputs = LOG.inputs
    model = shaken(build_model(spec(interaction=[FUSED], deep=DEEP), inputs, seed=0))
    encoders = replace(encoders_for(inputs), time=ServedTime("t", "s", "UTC"))
    export_model(model, encoders, tmp_path / "m", {}, features=ROWS)
    expected = score(model, LOG, slice(0, 50))

    pq.write_table(table_of(slice(0, 50), inputs), tmp_path / "rows.parquet")
    blocked = ("ray", "optuna", "lightgbm", "pandas", "scipy", "sklearn", "pydantic", "click")
    lean = run(LEAN.format(blocked=blocked), tmp_path / "m", tmp_path / "rows.parquet")
    np.testing.assert_allclose(lean, expected, atol=1e-6)

    np.save(tmp_path / "ids.npy", LOG.ids_NF[:50])
    np.save(tmp_path / "dense.npy", LOG.dense_ND[:50])
    np.testing.assert_allclose(run(PLAIN.format(), tmp_path / "m", tmp_path), expected, atol=1e-6)
