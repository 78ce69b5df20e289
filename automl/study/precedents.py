"""What earlier studies found, as a search that starts warm from them is told: written down with its facts, so that the
other studies need not be there any more."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from automl.study.plain import Model
from search_spaces.errors import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedent:
    """A trial of another study that was trained to its end; its figures are against that study's own baseline. `study`
    is the other study as the file names it, of which it names each once."""

    study: str
    trial: int
    model: Model
    ne_gain_pct: float
    qps_ratio: float
    fit: bool = True  # none of its repeats failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The rows that a study was scored on: by them it chose what it found. Its validation window, as days (both ends
    included) or as a part of the draws of its rows."""

    study: str  # its name
    log: str  # the path of its log, absolute: as it was when the record was read
    files: tuple[str, ...] = ()  # of that log, name and bytes of each, as far as they were there
    days: tuple[dt.date, dt.date] | None = None
    timezone: str | None = None  # of the days; None: that of the log, which the study file does not tell
    share: tuple[float, float] | None = None  # of the unit interval, from which a row is drawn
    draw: str = ""  # what else decides where a row falls


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A study that a search starts warm from."""

    name: str  # as the study file has it
    folder: str  # relative to the folder of the study that starts warm
    scored: tuple[Scored, ...]  # what it was scored on, then what the studies were that it started warm from itself


@dataclass(frozen=True, slots=True)
class WarmStart:
    """What a search is told at its first start. `notes`: what a person should know of it, each with its place in the
    study file."""

    precedents: tuple[Precedent, ...] = ()
    sources: tuple[Source, ...] = ()
    notes: tuple[tuple[Position, str], ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """Trials of each source."""
        return trials_told(self.precedents)


def trials_told(precedents: tuple[Precedent, ...]) -> Mapping[str, int]:
    """Trials of each source, in their order."""
    return Counter(one.study for one in precedents)
