"""A trained model as one file to serve: the serving graph by torch.export, its encoders, and what is known of it.

A zip: `model.pt2` (ids (B, F) int32 as the encoders number them, dense (B, D) float32 -> logits; any B),
`encoders/`, `facts.json`, which tells a digest of each of them. B batch, F id fields, D dense features, N rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from automl.data.past.files import past_beside, write_past
from automl.data.past.past import Past
from automl.data.store.encoder_files import write_served
from automl.data.store.encoders import Encoders
from automl.files.parts import Parts
from automl.files.whole import whole_file
from automl.ranking.export_errors import ExportError
from automl.ranking.features import Features, read_encoded
from automl.ranking.graph_inputs import Cut, graph_tensors
from automl.ranking.graphs import load_graph
from automl.ranking.lean import spans_of, wide_products
from automl.ranking.model import Ranker, members_of, reads_of
from automl.ranking.narrow import Narrow, Numbers
from automl.ranking.narrowing import Judged, judge
from automl.ranking.place import PROCESSOR, copied_to
from automl.ranking.scoring import logits_of, probabilities_of
from automl.ranking.served import FACTS, FORMAT, MODEL, Served, load_served
from automl.ranking.serving import TensorsIn, cuts_of, serving_graph
from automl.ranking.sources import ReadFeatures

TOLERANCE = 1e-5  # of a probability
_ROWS, _EVENTS = 8, 3  # of the example that is traced; events a list
_SYMBOL = re.compile(r"\bs\d+\b")

__all__ = ["ExportError", "Proof", "Served", "export_model", "graph_signature", "load_served"]


@dataclass(frozen=True, eq=False)
class Proof:
    """Rows of the log in their own columns, those that are made of earlier rows among them, and the probabilities that
    the model gave them (N,), as it learned them of the log."""

    rows: pa.Table
    learned_N: NDArray[np.float64]


def export_model(
    model: Ranker,
    encoders: Encoders,
    file: Path,
    facts: Mapping[str, Any],
    *,
    features: Features,
    tasks: tuple[str, ...] = ("label",),
    negatives_kept: float | None = None,
    past: Past | None = None,
    proof: Proof | None = None,
    numbers: Numbers = "fp32",
    judged: Judged | None = None,
) -> Mapping[str, Any]:
    """Write a model and its encoders to one file, once both predict the same of the features of real rows, and the file
    itself, loaded again, of the rows of `proof`; beside it, as FILE.past, the past of a model that reads what earlier
    rows tell. The encoders are those of the features that the model reads; `features` are all those of the data.

    `facts` are kept as they are under `about`; what is written of the export is returned. Only the head of the labels
    is in the graph. The encoders leave out ids beyond the model's cut-off. With `numbers` other than fp32 the file
    serves its wide products in these, once `judged` has shown what that costs; a model without any serves in fp32.

    Raises:
        ExportError: where a probability differs by more than 1e-5, or fewer bits cost too much.
    """
    cuts, read = cuts_of(model), reads_of(model)
    asked = (read.inputs.fields, read.inputs.dense, len(cuts), model.tasks)
    if asked != (len(encoders.fields), len(encoders.dense), len(encoders.sequences), len(tasks)):
        raise ValueError("the encoders must be those of what the model reads, and the tasks those of its head")
    model = copied_to(model, PROCESSOR)
    tables = [member.table.weight_RE for member in members_of(model)]
    held, program = BytesIO(), exported_program(model)
    torch.export.save(program, held)
    told = {
        "format": FORMAT,
        "tasks": tasks,
        "negatives_kept": negatives_kept,
        "parity": None,
        "params": sum(part.numel() for part in (*tables, *model.parameters())),
        "versions": {name: version(name) for name in ("torch", "numpy", "pyarrow")},
        "about": dict(facts),
        "past": None,
        "histories": [cut.to_json() for cut in cuts],
    }
    served = Served(encoders, told, load_graph(held.getvalue()))
    difference = _difference(model, served, features, read(features))
    if not difference <= TOLERANCE:
        raise ExportError(f"the exported graph must predict what the model predicts, but differs by {difference:.2g}")
    raw = 0 if proof is None else proof.rows.num_rows
    if numbers != "fp32" and wide_products(program):
        told["numbers"] = _narrowed(served, held.getvalue(), program, numbers, judged, read)
    told["parity"] = {"rows": len(features), "raw_rows": raw, "max_probability_difference": difference}
    with whole_file(file) as part, ExitStack() as stack:
        if past is not None:
            beside = past_beside(file)
            past_part = stack.enter_context(whole_file(beside))
            write_past(past, past_part)
            told["past"] = {
                "file": beside.name,
                "fingerprint": past.fingerprint,
                "until": past.until,
                "rows": past.state.rows,
                "bytes": past_part.stat().st_size,
            }
        with ZipFile(part, "w") as out:
            parts = Parts(out)
            parts.write(MODEL, held.getvalue(), packed=False)
            write_served(encoders.cut(members_of(model)[0].table.count_F.tolist()), parts)
            told["parts"] = dict(parts.digests)
            parts.write(FACTS, json.dumps(told, indent=1))
        _prove(part, proof)
    return told


def _narrowed(
    exact: Served, held: bytes, program: ExportedProgram, numbers: Numbers, judged: Judged | None, read: ReadFeatures
) -> dict[str, Any]:
    """What the file tells of the numbers that its wide products are computed in, and what they cost."""
    if judged is None:
        raise ValueError("fewer bits must be judged")
    spans = spans_of(program, graph_tensors(read(judged.learned), exact.cuts)) if numbers == "int8" else ()
    narrow = Narrow(numbers, spans)
    rows = replace(judged, features=read(judged.features))
    return {**narrow.to_json(), **judge(exact, replace(exact, graph=load_graph(held, narrow)), rows)}


def _prove(file: Path, proof: Proof | None) -> None:
    """Load what was written, and ask its graph, in fp32, of raw rows what the model said of them.

    Raises:
        ExportError: where it says something else.
    """
    served = load_served(file)
    if proof is None or not proof.rows.num_rows:
        return
    if "numbers" in served.facts:
        with ZipFile(file) as whole:
            served = replace(served, graph=load_graph(whole.read(MODEL)))
    found_N = served.learned(read_encoded(served.encoders.encode(proof.rows, "recorded rows")))
    difference = float(np.abs(found_N - proof.learned_N).max())
    if not difference <= TOLERANCE:
        must = "the exported file must predict of the log's own rows what the model predicted of them"
        raise ExportError(f"{must}, but differs by {difference:.2g}")


def graph_signature(model: Ranker) -> tuple[str, ...]:
    """The exported graph in words: each operation with what it reads, and the type and shape of what it gives.

    Two models with the same signature serve the same operations on the same shapes, whatever their weights are.
    """
    nodes = list(exported_program(copied_to(model, PROCESSOR)).graph.nodes)
    place = {node.name: f"%{k}" for k, node in enumerate(nodes)}
    return tuple(f"{place[node.name]} = {_operation(node, place)}" for node in nodes)


def _operation(node: torch.fx.Node, place: Mapping[str, str]) -> str:
    reads = torch.fx.node.map_arg((node.args, node.kwargs), lambda of: _Word(place[of.name]))
    value = node.meta.get("val")
    gives = f"{value.dtype}{list(value.shape)}" if isinstance(value, torch.Tensor) else ""
    name = "" if node.op == "placeholder" else str(node.target)
    return _SYMBOL.sub("B", f"{node.op} {name} {reads} {gives}")


class _Word(str):
    """Shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def exported_program(model: Ranker) -> ExportedProgram:
    """The graph that serves, for any number of rows."""
    served = TensorsIn(serving_graph(model))
    example = graph_tensors(Features.unknown(reads_of(model).inputs, _ROWS, _EVENTS), served.cuts)
    with torch.no_grad():
        return torch.export.export(served, example, dynamic_shapes=_shapes(served.cuts), strict=False)


def _shapes(cuts: Sequence[Cut]) -> tuple[dict[int, Any] | tuple[dict[int, Any], ...], ...]:
    """Which sizes differ from batch to batch: rows, and of each sequence feature events and the longest list."""
    rows, lists = torch.export.Dim("rows"), list[dict[int, Any]]()
    for k, cut in enumerate(cuts):
        longest = {} if cut.length == 1 else {1: torch.export.Dim(f"longest{k}")}
        events = {0: torch.export.Dim(f"events{k}")}
        lists += [*[events] * (cut.tensors - 2), {0: rows + 1}, {0: rows, **longest}]
    return {0: rows}, {0: rows}, *([tuple(lists)] if lists else [])


def _difference(model: Ranker, served: Served, features: Features, read: Features) -> float:
    """Largest difference of a learned probability, the original's weights in eval mode, of all features of rows,
    against the loaded file's, of those that it reads."""
    if not len(features):
        raise ValueError("parity must be checked on at least one row")
    was_training = model.training
    expected = probabilities_of(logits_of(model.eval(), features.parts()))
    model.train(was_training)
    return float(np.abs(served.learned(read) - expected).max())
