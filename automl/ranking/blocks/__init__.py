"""From a block's description to its torch module. To add one: its file here, and a case below."""

from __future__ import annotations

from automl.ranking.blocks.attention import AttentionBlock
from automl.ranking.blocks.base import Block
from automl.ranking.blocks.cross import CrossBlock
from automl.ranking.blocks.dot import DotBlock
from automl.ranking.blocks.fm import FmBlock
from automl.ranking.blocks.fused import FusedLayer
from automl.ranking.blocks.linear import LinearBlock
from automl.ranking.blocks.masknet import MasknetBlock
from search_spaces.blocks import Attention, BlockSpec, Cross, Dot, Fields, Fm, Linear, Masknet
from search_spaces.model import Layer


def build_block(spec: BlockSpec, fields: Fields) -> Block:
    """The module of one block over fields of that shape."""
    match spec:
        case Attention():
            return AttentionBlock(spec, fields)
        case Cross():
            return CrossBlock(spec, fields)
        case Dot():
            return DotBlock(spec, fields)
        case Fm():
            return FmBlock()
        case Linear():
            return LinearBlock(spec, fields)
        case Masknet():
            return MasknetBlock(spec, fields)
    raise TypeError(f"no torch module for the block {spec.name!r}")


def build_layer(layer: Layer, fields: Fields) -> Block:
    """One block as it is, or several fused."""
    blocks = [build_block(spec, fields) for spec in layer.blocks]
    if layer.fuse is None:
        return blocks[0]
    return FusedLayer(blocks, [spec.out_shape(fields) for spec in layer.blocks], layer.fuse, fields)


__all__ = ["Block", "build_block", "build_layer"]
