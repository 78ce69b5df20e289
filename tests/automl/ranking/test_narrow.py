"""Wide products in fewer bits: against the formula, row by row, and no row moves another."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from torch.export import ExportedProgram

from automl.ranking.export import exported_program
from automl.ranking.export_errors import ExportError
from automl.ranking.features import Features, read
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.graphs import load_graph
from automl.ranking.lean import lean, spans_of
from automl.ranking.model import build_model
from automl.ranking.narrow import OUTSIDE, WIDE, Narrow, span_of
from automl.ranking.narrowing import Judged, judge, words
from automl.ranking.served import Served
from tests.automl.ranking.test_export import encoders_for
from tests.worlds.models import planted, spec

LOG = planted(rows=400)
WIDER: dict[str, Any] = {
    "interaction": [{"cross": {"rank": 0}}],
    "deep": [{"mlp": {"width": 4096}}, {"mlp": {"width": 16, "norm": "batch"}}],
}


def program(**parts: Any) -> ExportedProgram:
    """Two of its maps are wide: those to and from 4,096."""
    return exported_program(build_model(spec(**{**WIDER, **parts}), LOG.inputs, seed=0).eval())


def inputs(rows: slice = slice(0, 300)) -> tuple[torch.Tensor, ...]:
    return graph_tensors(read(LOG, rows), ())


def test_a_product_in_8_bits_is_its_formula() -> None:
    torch.manual_seed(0)
    weight_OI, bias_O, x_BI = torch.randn(16, 200), torch.randn(16), torch.randn(50, 200)
    low, high = span_of(x_BI)
    function, held = Narrow("int8", ((low, high),)).product(0, weight_OI, bias_O)
    scale = (high - low) / 127
    zero = round(-low / scale)
    levels = (x_BI.double().clamp(-zero * scale, (127 - zero) * scale) / scale).round() + zero
    assert levels.min() >= 0
    assert levels.max() <= 127
    of_weights = weight_OI.double().abs().amax(1, keepdim=True) / 127
    rounded = (weight_OI.double() / of_weights).round()
    expected = (levels - zero) @ rounded.T * scale * of_weights.T + bias_O
    found = function(x_BI, held).double()
    off = (found - expected).abs()
    assert off.max() < 1.5 * float((scale * of_weights).max()) * 127, (
        "a level at most, where a half is rounded otherwise"
    )
    assert off.mean() < 1e-4
    assert 0 < (found - (x_BI @ weight_OI.T + bias_O)).abs().mean() < 0.3


def test_a_product_in_bfloat16_is_that_of_rounded_numbers() -> None:
    weight_OI, x_BI = torch.randn(16, 200), torch.randn(50, 200)
    function, held = Narrow("bf16").product(0, weight_OI, None)
    found = function(x_BI, held)
    assert found.dtype == torch.float32
    expected = x_BI.bfloat16().double() @ weight_OI.bfloat16().double().T
    torch.testing.assert_close(found.double(), expected, rtol=2**-7, atol=1e-2)


def test_spans_are_those_of_what_products_read() -> None:
    made = program()
    model = build_model(spec(**WIDER), LOG.inputs, seed=0).eval()
    seen = []
    model.deep[1].linear.register_forward_pre_hook(lambda _, given: seen.append(given[0]))  # type: ignore[union-attr]
    with torch.no_grad():
        model(read(LOG, slice(0, 300)))
    spans = spans_of(made, inputs())
    assert len(spans) == 2
    assert spans[1] == pytest.approx(np.quantile(seen[0].numpy(), (OUTSIDE, 1 - OUTSIDE)))


@pytest.mark.parametrize("kind", ["bf16", "int8"])
def test_only_what_is_wide_is_narrow_and_no_row_moves_another(kind: Any) -> None:
    made = program()
    narrow = Narrow(kind, spans_of(made, inputs()) if kind == "int8" else ())
    exact, fewer = lean(made), lean(made, narrow)
    with torch.inference_mode():
        expected, found = exact(*inputs()), fewer(*inputs())
        alone = torch.cat([fewer(*inputs(slice(k, k + 1))) for k in range(20)])
    assert 0 < (found - expected).abs().max() < 0.05
    torch.testing.assert_close(alone, found[:20], rtol=0, atol=1e-5 if kind == "int8" else 1e-2)
    small = program(deep=[{"mlp": {"width": 8}}])
    assert 8 * LOG.inputs.fields * 4 < WIDE
    with torch.inference_mode():
        assert torch.equal(lean(small, Narrow("bf16"))(*inputs()), lean(small)(*inputs()))


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (None, "not known"),
        ({"kind": "fp32", "spans": []}, "not known"),
        ({"kind": "int8"}, "spans are none"),
        ({"kind": "int8", "spans": [[1.0]]}, "spans are none"),
        ({"kind": "int8", "spans": [[1.0, 0.0]]}, "spans are none"),
        ({"kind": "int8", "spans": [[float("nan"), 0.0]]}, "spans are none"),
    ],
)
def test_what_a_file_tells_is_held(told: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Narrow.of_json(told)


def test_spans_of_another_graph_are_refused() -> None:
    held = BytesIO()
    torch.export.save(program(), held)
    with pytest.raises(ValueError, match="another graph"):
        load_graph(held.getvalue(), Narrow("int8", ((0.0, 1.0),)))
    with pytest.raises(ValueError, match="too few spans"):
        load_graph(held.getvalue(), Narrow("int8"))
    told = Narrow("int8", ((0.0, 1.0), (-1.0, 2.0)))
    assert Narrow.of_json(told.to_json()) == told


def served(graph: Any) -> Served:
    facts = {"tasks": ["click", "convert"], "negatives_kept": 0.5, "histories": []}
    return Served(encoders_for(LOG.inputs), facts, graph)


def test_what_fewer_bits_cost_is_told_task_by_task() -> None:
    """Logits that are half as large cost much; a label that is not defined is not judged."""
    rows = 300
    logits_N2 = torch.stack([torch.linspace(-2, 2, rows), torch.linspace(1, -1, rows)], 1)
    rng = np.random.default_rng(0)
    labels_NT = (rng.random((rows, 2)) < torch.sigmoid(logits_N2).numpy()).astype(np.float32)
    labels_NT[::3, 1] = np.nan
    features = Features.unknown(LOG.inputs, rows)
    judged = Judged(features, features, labels_NT, np.ones(rows, np.float32))
    same = judge(served(lambda *_: logits_N2), served(lambda *_: logits_N2 + 1e-6), judged)
    assert same["rows"] == rows
    assert list(same["ne_change"]) == ["click", "convert"]
    assert all(abs(change["pct"]) < 1e-3 for change in same["ne_change"].values())
    assert (
        words(same).replace("-", "+") == "NE +0.0000% ± 0.0000% of click, NE +0.0000% ± 0.0000% of convert "
        "against fp32 on 300 rows of the test window"
    )
    with pytest.raises(ExportError, match=r"at most 0.02% of NE, but NE of click is \d+\.\d+% higher"):
        judge(served(lambda *_: logits_N2), served(lambda *_: logits_N2 * torch.tensor([0.2, 1.0])), judged)
