"""Further trainings of complete trials in the record of a study, each on an order of the rows of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping

from automl.study.facts import TRIAL_REPEAT
from automl.study.history import Repeat
from automl.study.records import repeat_json, repeat_of


class TrialRepeats:
    """By place: in the order of their ends. `write` writes an attribute of the record; `attributes` are those that it
    holds."""

    def __init__(self, attributes: Mapping[str, str], write: Callable[[str, str], None]) -> None:
        self._write = write
        self._held: dict[int, tuple[int, Repeat]] = {}
        for name in sorted((name for name in attributes if name.startswith(TRIAL_REPEAT)), key=_place):
            data = json.loads(attributes[name])
            self._held[_place(name)] = data["trial"], repeat_of(data)

    @property
    def places(self) -> Collection[int]:
        """Of all that are in the record."""
        return self._held.keys()

    def by_trial(self, places: Collection[int]) -> dict[int, tuple[Repeat, ...]]:
        """Those at these places, by the number of their trial."""
        found: dict[int, tuple[Repeat, ...]] = {}
        for place, (number, repeat) in self._held.items():
            if place in places:
                found[number] = (*found.get(number, ()), repeat)
        return found

    def add(self, number: int, repeat: Repeat) -> None:
        """Record one of a trial by its number."""
        place = 1 + max(self._held, default=-1)
        self._write(f"{TRIAL_REPEAT}{place}", json.dumps({"trial": number, **repeat_json(repeat)}))
        self._held[place] = number, repeat


def _place(name: str) -> int:
    return int(name.removeprefix(TRIAL_REPEAT))
