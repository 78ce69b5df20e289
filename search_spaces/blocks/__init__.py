"""The blocks that an interaction layer may hold: the one table of them, which all that asks reads when it asks.

To add one: its file here, its twin in automl/ranking/blocks, its class in the table below. A plug-in file adds to the
same table (search_spaces/plugins.py).
"""

from __future__ import annotations

from search_spaces.blocks.attention import Attention
from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields
from search_spaces.blocks.cross import Cross
from search_spaces.blocks.dot import Dot
from search_spaces.blocks.fm import Fm
from search_spaces.blocks.linear import Linear
from search_spaces.blocks.masknet import Masknet
from search_spaces.blocks.mlp import Mlp

INTERACTION_BLOCKS: dict[str, type[BlockSpec]] = {
    block.name: block for block in (Attention, Cross, Dot, Fm, Linear, Masknet)
}

__all__ = [
    "INTERACTION_BLOCKS",
    "Attention",
    "BlockSpec",
    "Cost",
    "Cross",
    "Dense",
    "Dot",
    "Fields",
    "Fm",
    "Linear",
    "Masknet",
    "Mlp",
]
