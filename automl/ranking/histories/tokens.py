"""Histories as tokens, with what is ranked as the last one of each list: what becomes of that token is the field.

Linear maps are of the tokens alone, T = L + B of a batch; only attention is in a matrix, as wide as the longest list of
the batch. B rows, L events, K the longest list, E dimension, H heads of dimension D.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.ranking.histories.base import OneField
from automl.ranking.lists import Events
from automl.ranking.place import numbered
from search_spaces.history import HstuHistory, TransformerHistory
from search_spaces.inputs import HistoryShape


class Tokens:
    """Where the tokens of a batch stand: the events, then a target a row, whose cell is the last of its row."""

    def __init__(self, events: Events) -> None:
        self.rows, longest = events.there_BK.shape
        self.width = longest + 1
        last_B = (numbered(self.rows, events.row_L) + 1) * self.width - 1
        spare_L = events.place_L >= self.rows * longest  # of no list: behind the matrix here too
        place_L = torch.where(spare_L, self.rows * self.width, events.place_L + events.row_L)
        self.place_T = torch.cat([place_L, last_B])
        self.last_B = last_B
        self.there_BM = torch.cat([events.there_BK, events.there_BK.new_ones(self.rows, 1)], 1)

    def cells(self, x_TH: Tensor, heads: int) -> Tensor:
        """(B, H, M, D): tokens in a matrix of M = K + 1 cells a row; 0 where there is none."""
        empty = x_TH.new_zeros(self.rows * self.width + 1, x_TH.shape[1])
        return _headed(empty.index_copy(0, self.place_T, x_TH)[:-1].view(self.rows, self.width, -1), heads)

    def of_cells(self, x_BHMD: Tensor) -> Tensor:
        """(T, H * D): back from the matrix to the tokens."""
        flat = x_BHMD.transpose(1, 2).reshape(self.rows * self.width, -1)
        return torch.cat([flat, flat.new_zeros(1, flat.shape[1])]).index_select(0, self.place_T)


class TokenReader(OneField):
    """Layers over tokens; the last one makes only the target's."""

    def __init__(self, spec: TransformerHistory | HstuHistory, shape: HistoryShape, dim: int, ids: int) -> None:
        super().__init__(spec, shape, dim, ids)
        self.target = nn.Parameter(torch.zeros(dim))
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(self.layer(spec.heads, dim) for _ in range(spec.layers))

    @abstractmethod
    def layer(self, heads: int, dim: int) -> nn.Module:
        """One layer: (tokens (T, E), Tokens, whether only the targets are asked for) to (T, E) or (B, E)."""

    def pooled(self, events: Events, told_LE: Tensor, target_BE: Tensor) -> Tensor:
        tokens, x = Tokens(events), torch.cat([told_LE, target_BE + self.target])
        for k, layer in enumerate(self.layers):
            x = layer(x, tokens, k == len(self.layers) - 1)
        out_BE: Tensor = self.norm(x)
        return out_BE


class TransformerReader(TokenReader):
    def layer(self, heads: int, dim: int) -> nn.Module:
        return TransformerLayer(heads, dim)


class HstuReader(TokenReader):
    def layer(self, heads: int, dim: int) -> nn.Module:
        return HstuLayer(heads, dim)


class TransformerLayer(nn.Module):
    """x + W_o MHA(LN x), then x + W2 gelu(W1 LN x). Every token sees all of its row."""

    def __init__(self, heads: int, dim: int) -> None:
        super().__init__()
        self.heads, inner = heads, heads * -(-dim // heads)
        self.query, self.key_value = nn.Linear(dim, inner), nn.Linear(dim, 2 * inner)
        self.back = nn.Linear(inner, dim)
        self.network = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.heads_norm, self.norm = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x_TE: Tensor, tokens: Tokens, targets: bool) -> Tensor:
        seen_TE = self.heads_norm(x_TE)
        key, value = (tokens.cells(part, self.heads) for part in self.key_value(seen_TE).chunk(2, 1))
        asking = slice(-tokens.rows, None) if targets else slice(None)
        query = _asked(self.query(seen_TE[asking]), tokens, self.heads, targets)
        scores = query @ key.transpose(2, 3) / math.sqrt(key.shape[3])
        weights = scores.masked_fill(~tokens.there_BM[:, None, None], -torch.inf).softmax(3)
        x = x_TE[asking] + self.back(_answered(weights @ value, tokens, targets))
        return x + self.network(self.norm(x))  # type: ignore[no-any-return]


class HstuLayer(nn.Module):
    """x + W_o (u * LN(A v)); a token sees itself and what is before it."""

    def __init__(self, heads: int, dim: int) -> None:
        super().__init__()
        self.heads, inner = heads, heads * -(-dim // heads)
        self.key_value, self.query_gate = nn.Linear(dim, 2 * inner), nn.Linear(dim, 2 * inner)
        self.back = nn.Linear(inner, dim)
        self.norm, self.heads_norm = nn.LayerNorm(dim), nn.LayerNorm(inner)

    def forward(self, x_TE: Tensor, tokens: Tokens, targets: bool) -> Tensor:
        seen_TE = self.norm(x_TE)
        key, value = (tokens.cells(part, self.heads) for part in functional.silu(self.key_value(seen_TE)).chunk(2, 1))
        asking = slice(-tokens.rows, None) if targets else slice(None)
        asked, gate = functional.silu(self.query_gate(seen_TE[asking])).chunk(2, 1)
        query = _asked(asked, tokens, self.heads, targets)
        there_BM = tokens.there_BM
        earlier_MM = numbered(tokens.width, there_BM).unsqueeze(1) >= numbered(tokens.width, there_BM)
        seen_BMM = there_BM.unsqueeze(1) & earlier_MM
        seen = (seen_BMM[:, -1:] if targets else seen_BMM).unsqueeze(1)
        scores = functional.silu(query @ key.transpose(2, 3) / math.sqrt(key.shape[3])) * seen
        heard = (scores / seen.sum(3, keepdim=True).clamp(min=1)) @ value
        return x_TE[asking] + self.back(gate * self.heads_norm(_answered(heard, tokens, targets)))  # type: ignore[no-any-return]


def _headed(x_BMI: Tensor, heads: int) -> Tensor:
    rows, width, inner = x_BMI.shape
    return x_BMI.view(rows, width, heads, inner // heads).transpose(1, 2)


def _asked(query: Tensor, tokens: Tokens, heads: int, targets: bool) -> Tensor:
    """(B, H, M, D) of all tokens, (B, H, 1, D) of the targets alone."""
    return _headed(query.unsqueeze(1), heads) if targets else tokens.cells(query, heads)


def _answered(heard: Tensor, tokens: Tokens, targets: bool) -> Tensor:
    """Back to tokens (T, H * D), or to targets (B, H * D)."""
    return heard.transpose(1, 2).flatten(1) if targets else tokens.of_cells(heard)
