"""The top of a model in bfloat16, where a spec asks for it: products of half the bytes, on units that processors have
for them (AMX, avx512_bf16).

What is learned stays in fp32: the table, the head and its loss, norms, and the weights that the optimizer moves. Each
step works on their rounded copies (arXiv 1710.03740, without loss scaling: bfloat16 has the range of fp32).
B batch, N fields, E dimension, W width of the top.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from automl.ranking.model import RankingModel
from automl.ranking.place import PROCESSOR

# Work on bfloat16 with weights in fp32, and what they have seen as well; a layer norm does so on the processor alone.
_WHOLE = (nn.LayerNorm, nn.BatchNorm1d)
_WHOLE_ELSEWHERE = (nn.BatchNorm1d,)


class HalfTop:
    """A twin of a model whose top works in bfloat16.

    To be made after the optimizer, which decides where weights and gradients are.
    """

    def __init__(self, model: RankingModel) -> None:
        kinds = _WHOLE if model.there == PROCESSOR else _WHOLE_ELSEWHERE
        whole = [part for part in model.modules() if isinstance(part, kinds)]
        self._twin = copy.deepcopy(model, {id(part): part for part in (model.table, model.noise, *whole)})
        self._parts = [
            (part, twin)
            for part, twin in zip(model.parameters(), self._twin.parameters(), strict=True)
            if part is not twin
        ]
        for _, twin in self._parts:
            twin.data, twin.grad = twin.data.to(torch.bfloat16), None

    def __call__(self, fields_BNE: list[Tensor]) -> Tensor:
        """What the head reads (B, W), fp32; the fields are the model's own, fp32."""
        with torch.no_grad():
            for part, twin in self._parts:
                twin.copy_(part)
        return self._twin.top([part_BNE.to(torch.bfloat16) for part_BNE in fields_BNE]).float()

    def collect(self) -> None:
        """After the backward pass: its gradients are written to where the optimizer reads them."""
        for part, twin in self._parts:
            if twin.grad is not None:
                assert part.grad is not None
                part.grad.copy_(twin.grad)
                twin.grad = None
