"""The contract between a block's description and its module, and each block against its formula written out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from automl.ranking.blocks import build_block, build_layer
from automl.testing import hold_block
from search_spaces.blocks import (
    INTERACTION_BLOCKS,
    Attention,
    Bilinear,
    BlockSpec,
    Cin,
    Conv,
    Cross,
    CrossExperts,
    CrossV1,
    CrossV3,
    Dense,
    Dot,
    Fields,
    Finalmlp,
    Fm,
    Fwfm,
    GatedCross,
    Inner,
    Lhuc,
    Linear,
    Masknet,
    MasknetParallel,
    Outer,
    Rankmixer,
    Senet,
    Transformer,
    Wukong,
)
from search_spaces.model import Layer, layer_cost

FIELDS = Fields(5, 4)
SPECS = [
    Attention(heads=2, head_dim=3),
    Attention(heads=1, head_dim=8),
    Cross(rank=0),
    Cross(rank=3),
    Dot(compress=2),
    Dot(compress=7),
    Fm(),
    Linear(),
    Masknet(width=6, hidden=5),
    Bilinear(weights="all"),
    Bilinear(weights="each"),
    Cin(maps=3, layers=2),
    Conv(kernel=3),
    CrossExperts(experts=2, rank=3),
    CrossV1(),
    CrossV3(base="now"),
    CrossV3(base="first"),
    Finalmlp(gate=3, width=6, heads=2, head_dim=3),
    Fwfm(),
    GatedCross(rank=0),
    GatedCross(rank=3),
    Inner(),
    Lhuc(hidden=3),
    MasknetParallel(masks=2, width=4, hidden=3),
    Outer(width=3),
    Rankmixer(tokens=3, head_dim=2, layers=2),
    Senet(hidden=3),
    Transformer(heads=2, head_dim=3),
    Wukong(rank=2, width=6),
    Wukong(rank=2, share=1.0, width=6),
]
LAYERS = [
    *(Layer((spec,)) for spec in SPECS),
    *(Layer((spec,), fuse) for spec in SPECS[:9] for fuse in ("sum", "concat")),
    *(Layer((SPECS[0], SPECS[3], SPECS[5], Linear(), Fm()), fuse) for fuse in ("sum", "concat")),
]


def fields(batch: int = 3, **kind: Any) -> tuple[Tensor, Tensor]:
    if kind.get("device") == "meta":
        return torch.empty(batch, 5, 4, **kind), torch.empty(batch, 5, 4, **kind)
    generator = torch.Generator().manual_seed(5)
    return tuple(torch.randn(batch, 5, 4, generator=generator, **kind) for _ in range(2))  # type: ignore[return-value]


def test_every_block_has_a_module() -> None:
    assert {spec.name for spec in SPECS} == set(INTERACTION_BLOCKS)


class Other:
    """Made as blocks are."""

    def __init__(self, spec: BlockSpec, fields: Fields) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Odd(Fm):
    """Names a class that is no block."""

    module: ClassVar[str] = f"{__name__}:Other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stranger(Fm):
    """Names nothing."""

    module: ClassVar[str] = "search_spaces.blocks:Layer"


def test_a_description_whose_module_is_no_block_is_refused() -> None:
    with pytest.raises(AttributeError, match="Layer"):
        build_block(Stranger(), FIELDS)
    with pytest.raises(TypeError, match="must make a Block, but made a Other"):
        build_block(Odd(), FIELDS)


@pytest.mark.parametrize("name", sorted(INTERACTION_BLOCKS))
def test_holds_to_the_contract(name: str) -> None:
    hold_block(INTERACTION_BLOCKS[name])


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_shape_parameters_and_flops_are_as_promised(layer: Layer) -> None:
    module = build_layer(layer, FIELDS)
    out_shape = FIELDS if layer.fuse else layer.blocks[0].out_shape(FIELDS)
    expected = (3, out_shape.width) if isinstance(out_shape, Dense) else (3, out_shape.count, out_shape.dim)
    assert module(*fields()).shape == expected
    cost = layer_cost(layer, FIELDS)
    assert sum(part.numel() for part in module.parameters()) == cost.params
    with FlopCounterMode(display=False) as counter:
        module.to("meta")(*fields(device="meta"))
    assert counter.get_total_flops() == 3 * cost.flops


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if not isinstance(layer.blocks[0], Lhuc)], ids=str)
def test_gradients_are_right(layer: Layer) -> None:
    torch.manual_seed(2)
    module = build_layer(layer, FIELDS).double()
    x0, x = (part.requires_grad_() for part in fields(2, dtype=torch.float64))
    assert torch.autograd.gradcheck(module, (x0, x))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_rows_of_a_batch_do_not_see_each_other(layer: Layer) -> None:
    module = build_layer(layer, FIELDS)
    x0, x = fields(4)
    torch.testing.assert_close(module(x0, x)[:2], module(x0[:2], x[:2]))


def test_cross() -> None:
    x0, x = fields()
    low = build_block(Cross(rank=3), FIELDS)
    weight = low.up.weight @ low.down.weight
    flat = x.flatten(1)
    torch.testing.assert_close(low(x0, x).flatten(1), x0.flatten(1) * (flat @ weight.T + low.up.bias) + flat)
    full = build_block(Cross(rank=0), FIELDS)
    expected = x0.flatten(1) * (flat @ full.up.weight.T + full.up.bias) + flat
    torch.testing.assert_close(full(x0, x).flatten(1), expected)


def test_fm_is_a_double_loop_over_pairs() -> None:
    x0, x = fields()
    pairs = sum(x[:, i] * x[:, j] for i in range(5) for j in range(i + 1, 5))
    torch.testing.assert_close(build_block(Fm(), FIELDS)(x0, x), pairs)


def test_dot_multiplies_all_pairs_of_the_compressed_fields() -> None:
    x0, x = fields()
    module = build_block(Dot(compress=3), FIELDS)
    mixed = torch.einsum("mn,bne->bme", module.mix.map.weight, x)
    pairs = [(mixed[:, i] * mixed[:, j]).sum(1) for i in range(3) for j in range(i + 1, 3)]
    torch.testing.assert_close(module(x0, x), torch.stack(pairs, 1))


def test_linear_mixes_fields() -> None:
    x0, x = fields()
    module = build_block(Linear(), FIELDS)
    torch.testing.assert_close(module(x0, x), torch.einsum("mn,bne->bme", module.mix.map.weight, x))


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_masknet(eps: float) -> None:
    x0, x = fields()
    module = build_block(Masknet(width=6, hidden=5, eps=eps), FIELDS)
    normed = (x - x.mean(2, keepdim=True)) / (x.var(2, unbiased=False, keepdim=True) + eps).sqrt()
    first, _, second = module.mask
    mask = torch.relu(x.flatten(1) @ first.weight.T + first.bias) @ second.weight.T + second.bias
    hidden = (mask * normed.flatten(1)) @ module.out.weight.T
    expected = (hidden - hidden.mean(1, keepdim=True)) / (hidden.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(module(x0, x), torch.relu(expected))


def test_attention_head_by_head() -> None:
    x0, x = fields()
    module = build_block(Attention(heads=2, head_dim=3), FIELDS)
    weight = module.query_key_value.weight.view(3, 2, 3, 4)
    heads = []
    for head in range(2):
        query, key, value = (x @ weight[part, head].T for part in range(3))
        heads.append(torch.softmax(query @ key.transpose(1, 2) / math.sqrt(3), 2) @ value)
    expected = torch.relu(torch.cat(heads, 2) @ module.back.weight.T + x @ module.residual.weight.T)
    torch.testing.assert_close(module(x0, x), expected)


def test_a_fused_layer_adds_shortcut_and_norm() -> None:
    x0, x = fields()
    module = build_layer(Layer((Linear(), Fm()), "sum"), FIELDS)
    fm, linear = module.blocks
    total = linear(x0, x) + module.maps[0](fm(x0, x)).view_as(x) + x
    torch.testing.assert_close(module(x0, x), nn.functional.layer_norm(total, (4,)))
    module = build_layer(Layer((Linear(), Fm()), "concat"), FIELDS)
    fm, linear = module.blocks
    stacked = torch.cat([module.maps[0](fm(x0, x)).view_as(x), linear(x0, x)], 1)
    mixed = torch.einsum("mn,bne->bme", module.mix.map.weight, stacked)
    torch.testing.assert_close(module(x0, x), nn.functional.layer_norm(mixed + x, (4,)))
