"""Blocks against their formulas, written out example by example and pair by pair."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from automl.ranking.blocks import build_block
from automl.ranking.blocks.many_linear import ManyLinear
from search_spaces.blocks import (
    Bilinear,
    BlockSpec,
    Cin,
    Conv,
    CrossExperts,
    CrossV1,
    CrossV3,
    Fields,
    Finalmlp,
    Fm,
    Fwfm,
    GatedCross,
    Inner,
    Lhuc,
    MasknetParallel,
    Outer,
    Rankmixer,
    Senet,
    Transformer,
    Wukong,
)

FIELDS = Fields(5, 3)  # an odd width
PAIRS = list(combinations(range(5), 2))


def made(spec: BlockSpec) -> tuple[Any, Tensor, Tensor, Tensor]:
    """The module with all of its weights away from where they start, x0, x, and its output."""
    generator = torch.Generator().manual_seed(3)
    module = build_block(spec, FIELDS)
    with torch.no_grad():
        for part in module.parameters():
            part.add_(0.3 * torch.randn(part.shape, generator=generator))
    x0, x = (torch.randn(4, 5, 3, generator=generator) for _ in range(2))
    return module, x0, x, module(x0, x)


def rows(x0: Tensor, x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Flattened fields of one example after the other."""
    return list(zip(x0.flatten(1), x.flatten(1), strict=True))


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """W x + b of one example."""
    out = torch.stack([row @ x for row in layer.weight])
    return out if layer.bias is None else out + layer.bias


def part(layer: ManyLinear, number: int, x: Tensor) -> Tensor:
    """One of many maps."""
    out = x @ layer.weight[number]
    return out if layer.bias is None else out + layer.bias[number, 0]


def mlp(layers: nn.Sequential, x: Tensor) -> Tensor:
    for layer in layers:
        x = linear(layer, x) if isinstance(layer, nn.Linear) else layer(x)
    return x


def normed(norm: nn.LayerNorm, x: Tensor, eps: float = 1e-5) -> Tensor:
    """Over the last dimension."""
    spread = ((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / (spread + eps).sqrt() * norm.weight + norm.bias


def same(found: Tensor, expected: list[Tensor]) -> None:
    torch.testing.assert_close(found.flatten(1), torch.stack([one.flatten() for one in expected]), rtol=1e-4, atol=1e-5)


def test_cross_v1() -> None:
    module, x0, x, out = made(CrossV1())
    weight = module.weight.weight[0]
    same(out, [first * (weight @ now) + module.bias + now for first, now in rows(x0, x)])


def test_cross_experts_weigh_each_expert_by_its_gate() -> None:
    module, x0, x, out = made(CrossExperts(experts=2, rank=4))
    expected = []
    for first, now in rows(x0, x):
        gates = torch.softmax(linear(module.gate, now), 0)
        total = torch.zeros(15)
        for expert in range(2):
            down = torch.tanh(module.down.weight[4 * expert : 4 * expert + 4] @ now)
            middle = torch.tanh(part(module.middle, expert, down))
            up = module.up.weight[:, 4 * expert : 4 * expert + 4] @ middle
            total = total + gates[expert] * first * (up + module.up.bias)
        expected.append(total + now)
    same(out, expected)


def test_gated_cross() -> None:
    module, x0, x, out = made(GatedCross(rank=0))
    expected = [
        first * linear(module.value, now) * torch.sigmoid(linear(module.gate, now)) + now for first, now in rows(x0, x)
    ]
    same(out, expected)
    module, x0, x, out = made(GatedCross(rank=2))
    value, gate = module.value.weight @ module.down.weight[:2], module.gate.weight @ module.down.weight[2:]
    expected = [
        first * (value @ now + module.value.bias) * torch.sigmoid(gate @ now) + now for first, now in rows(x0, x)
    ]
    same(out, expected)


def test_cross_v3_multiplies_what_its_base_says() -> None:
    for base in ("now", "first"):
        module, x0, x, out = made(CrossV3(base=base))
        expected = []
        for first, now in rows(x0, x):
            half = linear(module.map, now)
            masked = half * torch.relu(normed(module.norm, half))
            both = torch.cat([half, masked[:7]]) + module.bias
            expected.append((first if base == "first" else now) * both + now)
        same(out, expected)


def test_fwfm_is_a_double_loop_and_starts_as_fm() -> None:
    module, _, x, out = made(Fwfm())
    expected = [torch.stack([module.weight[k] * one[i] * one[j] for k, (i, j) in enumerate(PAIRS)]).sum(0) for one in x]
    same(out, expected)
    torch.testing.assert_close(build_block(Fwfm(), FIELDS)(x, x), build_block(Fm(), FIELDS)(x, x))


def test_inner_products_of_all_pairs() -> None:
    _, _, x, out = made(Inner())
    same(out, [torch.stack([one[i] @ one[j] for i, j in PAIRS]) for one in x])


def test_outer() -> None:
    module, _, x, out = made(Outer(width=4))
    weight = module.map.weight.view(4, 3, 3)
    expected = [
        torch.stack([(one.sum(0)[:, None] * one.sum(0)[None] * square).sum() for square in weight]) for one in x
    ]
    same(out, expected)


def test_cin_layer_by_layer() -> None:
    module, _, x, out = made(Cin(maps=2, layers=2))
    expected = []
    for one in x:
        now, sums = one, []
        for mixed in module.mixes:
            weight = mixed.map.weight.view(2, len(now), 5)
            now = torch.stack(
                [sum(weight[h, i, j] * now[i] * one[j] for i in range(len(now)) for j in range(5)) for h in range(2)]
            )
            sums.append(now.sum(1))
        expected.append(torch.cat(sums))
    same(out, expected)


def test_senet() -> None:
    module, _, x, out = made(Senet(hidden=2))
    weights = [torch.sigmoid(linear(module.excite, torch.relu(linear(module.squeeze, one.mean(1))))) for one in x]
    same(out, [one * weight[:, None] for one, weight in zip(x, weights, strict=True)])


def test_bilinear_with_one_matrix_and_with_one_for_each() -> None:
    module, _, x, out = made(Bilinear(weights="all"))
    same(out, [torch.stack([linear(module.map, one[i]) * one[j] for i, j in PAIRS]) for one in x])
    module, _, x, out = made(Bilinear(weights="each"))
    same(out, [torch.stack([part(module.map, i, one[i]) * one[j] for i, j in PAIRS]) for one in x])


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_masknet_parallel(eps: float) -> None:
    module, _, x, out = made(MasknetParallel(masks=2, width=4, hidden=3, eps=eps))
    expected = []
    for one in x:
        inner = normed(module.norm, one, eps).flatten()
        outs = [
            torch.relu(normed(masked.norm, linear(masked.out, mlp(masked.mask, one.flatten()) * inner)))
            for masked in module.parts
        ]
        expected.append(torch.cat(outs))
    same(out, expected)


def test_finalmlp_multiplies_head_by_head() -> None:
    module, x0, x, out = made(Finalmlp(gate=2, width=4, heads=2, head_dim=3))
    expected = []
    for first, now in rows(x0, x):
        left, right = (mlp(stream.tower, 2 * torch.sigmoid(mlp(stream.gate, first)) * now) for stream in module.streams)
        heads = [
            left[3 * head : 3 * head + 3] @ module.square.weight[head] @ right[3 * head : 3 * head + 3]
            for head in range(2)
        ]
        expected.append(torch.cat([left, right, torch.stack(heads)]))
    same(out, expected)


def test_lhuc_learns_nothing_through_what_it_gates() -> None:
    module, x0, x, out = made(Lhuc(hidden=2))
    expected = [2 * torch.sigmoid(mlp(module.gate, torch.cat(both))) * both[1] for both in rows(x0, x)]
    same(out, expected)
    x.requires_grad_()
    gate = module(x0, x).detach() / x.detach()
    (grad,) = torch.autograd.grad(module(x0, x).sum(), x)
    torch.testing.assert_close(grad, gate)


def test_wukong() -> None:
    module, _, x, out = made(Wukong(rank=2, share=0.4, width=4))
    expected = []
    for one in x:
        products = one @ (one.T @ module.mixed.map.weight.T)
        fmb = mlp(module.mlp, normed(module.flat_norm, products.flatten())).view(2, 3)
        lcb = module.kept.map.weight @ one
        expected.append(normed(module.norm, torch.cat([fmb, lcb]) + one))
    same(out, expected)


def test_rankmixer_token_by_token() -> None:
    module, _, x, out = made(Rankmixer(tokens=2, head_dim=3, layers=2, expand=2))
    expected = []
    for one in x:
        pieces = pad(one.flatten(), (0, 1)).view(2, 8)
        now = torch.stack([part(module.first, t, pieces[t]) for t in range(2)])
        for layer in module.layers:
            heads = now.view(2, 2, 3)  # token, head
            mixed = torch.stack([torch.cat([heads[token, head] for token in range(2)]) for head in range(2)])
            now = normed(layer.mixed_norm, mixed + now)
            network = [part(layer.down, t, gelu(part(layer.up, t, now[t]))) for t in range(2)]
            now = normed(layer.norm, torch.stack(network) + now)
        expected.append(now.mean(0))
    same(out, expected)


def test_transformer() -> None:
    module, _, x, out = made(Transformer(heads=2, head_dim=4, expand=2))
    query, key, value = module.query_key_value.weight.view(3, 2, 4, 3)
    expected = []
    for one in x:
        heads = [
            torch.softmax((one @ query[h].T) @ (one @ key[h].T).T / math.sqrt(4), 1) @ (one @ value[h].T)
            for h in range(2)
        ]
        heard = torch.cat(heads, 1) @ module.back.weight.T + module.back.bias
        now = normed(module.heads_norm, heard + one)
        expected.append(normed(module.norm, torch.stack([mlp(module.network, field) for field in now]) + now))
    same(out, expected)


def test_conv_reads_neighbours() -> None:
    module, _, x, out = made(Conv(kernel=3))
    expected = []
    for one in x:
        padded = pad(one.T, (1, 1)).T
        fields = [
            sum(module.conv.weight[:, :, k] @ padded[i + k] for k in range(3)) + module.conv.bias for i in range(5)
        ]
        expected.append(torch.relu(torch.stack(fields)))
    same(out, expected)
