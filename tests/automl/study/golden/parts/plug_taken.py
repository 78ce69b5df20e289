"""Adds names that there are, and things that are not there."""

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks import Fm
from search_spaces.plugins import Plugins


@dataclass(frozen=True, kw_only=True, slots=True)
class Cross(Fm):
    """By another name."""

    name: ClassVar[str] = "cross"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost(Fm):
    """Its torch half is not where it says."""

    name: ClassVar[str] = "lost"
    module: ClassVar[str] = f"{__name__}:LostBlock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shouting(Fm):
    """Its name is no word."""

    name: ClassVar[str] = "Big Block"


def plug(tables: Plugins) -> None:
    """Everything at once."""
    tables.block(Cross)
    tables.block(Lost)
    tables.block(Shouting)
    tables.block(dict)  # type: ignore[arg-type]
    tables.training("fast", "no_such_module:train")
