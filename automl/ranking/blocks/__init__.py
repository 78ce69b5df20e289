"""From a block's description to its torch module, which the description names."""

from __future__ import annotations

import pkgutil

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.fused import FusedLayer
from search_spaces.blocks import BlockSpec, Fields
from search_spaces.model import Layer


def build_block(spec: BlockSpec, fields: Fields) -> Block:
    """The module of one block over fields of that shape.

    Raises:
        ImportError, AttributeError: where `spec.module` names nothing.
        TypeError: where it names what is not a Block.
    """
    made = pkgutil.resolve_name(spec.module)(spec, fields)
    if not isinstance(made, Block):
        raise TypeError(f"{spec.module} must make a Block, but made a {type(made).__name__}")
    return made


def build_layer(layer: Layer, fields: Fields) -> Block:
    """One block as it is, or several fused."""
    blocks = [build_block(spec, fields) for spec in layer.blocks]
    if layer.fuse is None:
        return blocks[0]
    return FusedLayer(blocks, [spec.out_shape(fields) for spec in layer.blocks], layer.fuse, fields)


__all__ = ["Block", "build_block", "build_layer"]
