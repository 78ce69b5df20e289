"""The blocks that an interaction layer may hold: the one table of them, which all that asks reads when it asks.

To add one: its file here, its twin in automl/ranking/blocks, its class in the table below. A plug-in file adds to the
same table (search_spaces/plugins.py).
"""

from __future__ import annotations

from search_spaces.blocks.attention import Attention
from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields
from search_spaces.blocks.bilinear import Bilinear
from search_spaces.blocks.cin import Cin
from search_spaces.blocks.conv import Conv
from search_spaces.blocks.cross import Cross
from search_spaces.blocks.cross_experts import CrossExperts
from search_spaces.blocks.cross_v1 import CrossV1
from search_spaces.blocks.cross_v3 import CrossV3
from search_spaces.blocks.dot import Dot
from search_spaces.blocks.finalmlp import Finalmlp
from search_spaces.blocks.fm import Fm
from search_spaces.blocks.fwfm import Fwfm
from search_spaces.blocks.gated_cross import GatedCross
from search_spaces.blocks.inner import Inner
from search_spaces.blocks.lhuc import Lhuc
from search_spaces.blocks.linear import Linear
from search_spaces.blocks.masknet import Masknet
from search_spaces.blocks.masknet_parallel import MasknetParallel
from search_spaces.blocks.mlp import Mlp
from search_spaces.blocks.outer import Outer
from search_spaces.blocks.rankmixer import Rankmixer
from search_spaces.blocks.senet import Senet
from search_spaces.blocks.transformer import Transformer
from search_spaces.blocks.wukong import Wukong

INTERACTION_BLOCKS: dict[str, type[BlockSpec]] = {
    block.name: block
    for block in (
        Attention,
        Bilinear,
        Cin,
        Conv,
        Cross,
        CrossExperts,
        CrossV1,
        CrossV3,
        Dot,
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
}

__all__ = [
    "INTERACTION_BLOCKS",
    "Attention",
    "Bilinear",
    "BlockSpec",
    "Cin",
    "Conv",
    "Cost",
    "Cross",
    "CrossExperts",
    "CrossV1",
    "CrossV3",
    "Dense",
    "Dot",
    "Fields",
    "Finalmlp",
    "Fm",
    "Fwfm",
    "GatedCross",
    "Inner",
    "Lhuc",
    "Linear",
    "Masknet",
    "MasknetParallel",
    "Mlp",
    "Outer",
    "Rankmixer",
    "Senet",
    "Transformer",
    "Wukong",
]
