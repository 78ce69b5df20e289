"""Sequence features: of each row a list of events, such as the videos that its user watched before."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from automl.data.describe.parts import Delay, Part, names_once

MOST_ACTIONS = 8  # a bit each


def _by(value: object) -> object:
    """A column, or a list of them."""
    return names_once([value] if isinstance(value, str) else value)


def _actions(value: object) -> object:
    """A list column, or a list of columns of 0 and 1."""
    return value if value is None or isinstance(value, str) else names_once(value)


class SequenceConfig(Part):
    """Lists of ids of the feature `of`, which share its table. The latest event stands last.

    With `by` they are built from the log itself: the key's last `max_len` rows of which one of `actions`, columns of 0
    and 1, is 1, and that are earlier than the row by more than `delay`. Else they stand in a list column of the log or
    of a joined table, with lists of their times and actions beside it. `column` None: the name of the sequence.
    """

    of: str
    by: Annotated[tuple[str, ...] | None, BeforeValidator(_by)] = None
    column: str | None = None
    times: str | None = None
    actions: Annotated[str | tuple[str, ...] | None, BeforeValidator(_actions)] = None
    max_len: Annotated[int, Field(ge=1, le=10_000)] = 50
    delay: Delay = 0.0  # of one that is built: until the actions of a row are known

    @property
    def built(self) -> bool:
        return self.by is not None

    @property
    def action_columns(self) -> tuple[str, ...]:
        """Of one that is built."""
        return self.actions if isinstance(self.actions, tuple) else ()

    @model_validator(mode="after")
    def _one_way(self) -> SequenceConfig:
        if self.built:
            for key in ("column", "times"):
                if getattr(self, key) is not None:
                    raise ValueError(f"must give by or {key}, not both: with by the lists are built from the log")
            if isinstance(self.actions, str):
                raise ValueError("actions must be a list of columns of 0 and 1 where by is given, like [is_click]")
            if len(self.action_columns) > MOST_ACTIONS:
                raise ValueError(f"actions must be at most {MOST_ACTIONS}, but found {len(self.action_columns)}")
            return self
        if isinstance(self.actions, tuple):
            raise ValueError("actions must be one list column; a list of columns needs by: whose rows are listed")
        if self.delay:
            raise ValueError("delay must be left out of a list column: what stands in it is known")
        return self
