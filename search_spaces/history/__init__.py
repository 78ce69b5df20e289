"""The ways to read a history that a space may choose between: the one table of them.

To add one: its file here, its twin in automl/ranking/histories, its class in the table below.
"""

from __future__ import annotations

from search_spaces.history.base import GAPS, EventsSpec, HistorySpec, Lengths
from search_spaces.history.din import DinHistory
from search_spaces.history.interformer import InterformerHistory
from search_spaces.history.pooled import AttentionHistory, MeanHistory, NoHistory
from search_spaces.history.tokens import HstuHistory, TransformerHistory

HISTORIES: dict[str, type[HistorySpec]] = {
    spec.name: spec
    for spec in (
        NoHistory, MeanHistory, AttentionHistory, DinHistory, TransformerHistory, HstuHistory, InterformerHistory
    )
}  # fmt: skip

__all__ = [
    "GAPS",
    "HISTORIES",
    "AttentionHistory",
    "DinHistory",
    "EventsSpec",
    "HistorySpec",
    "HstuHistory",
    "InterformerHistory",
    "Lengths",
    "MeanHistory",
    "NoHistory",
    "TransformerHistory",
]
