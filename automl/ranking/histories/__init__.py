"""From the way to read a history to its torch module, which the description names."""

from __future__ import annotations

import pkgutil

from automl.ranking.histories.base import Reader
from search_spaces.history import EventsSpec
from search_spaces.inputs import HistoryShape


def build_reader(spec: EventsSpec, shape: HistoryShape, dim: int, ids: int) -> Reader:
    """The module that makes the fields, of dimension `dim`, of a sequence feature; rows have that many `ids`.

    Raises:
        TypeError: where `spec.module` names what is not a Reader.
    """
    made = pkgutil.resolve_name(spec.module)(spec, shape, dim, ids)
    if not isinstance(made, Reader):
        raise TypeError(f"{spec.module} must make a Reader, but made a {type(made).__name__}")
    return made


__all__ = ["Reader", "build_reader"]
