"""How a student may learn from the teacher: recipes by name, and the arms that `auto` chooses among."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields

from automl.study.exfm_figures import AUTO, NONE
from search_spaces.distill import Distill

RECIPES: Mapping[str, Distill | None] = {
    NONE: None,
    "plain": Distill(heads="plain"),
    "plain-averaged": Distill(heads="plain", weight=3.0, averaged=True),
    "calibrated": Distill(heads="calibrated", adapter_width=0),
    "calibrated-averaged": Distill(heads="calibrated", adapter_width=0, weight=3.0, averaged=True),
    "auxiliary": Distill(heads="auxiliary"),
    "auxiliary-averaged": Distill(heads="auxiliary", weight=3.0, averaged=True),
    "auxiliary-adapter": Distill(heads="both"),
}
ARMS = (NONE, "plain", "plain-averaged", "auxiliary-averaged")
"""What auto trains side by side. Without none among them it could not fall back."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe under the name that results carry; `distill` None is no teacher, or auto where `auto` is set."""

    name: str
    distill: Distill | None
    auto: bool = False

    @property
    def arms(self) -> tuple[tuple[str, Distill | None], ...]:
        """Models to train: itself, or the arms of auto."""
        return tuple((name, RECIPES[name]) for name in ARMS) if self.auto else ((self.name, self.distill),)


def recipe_of(value: object) -> Recipe:
    """A recipe from its name, or from a mapping of the knobs of `distill:`.

    Raises:
        ValueError: where it is neither.
    """
    if value == AUTO:
        return Recipe(AUTO, None, auto=True)
    if isinstance(value, str) and value in RECIPES:
        return Recipe(value, RECIPES[value])
    if not isinstance(value, Mapping):
        raise ValueError(f"must be one of {', '.join([AUTO, *RECIPES])}, or a mapping like {{heads: plain, weight: 3}}")
    known = {f.name for f in fields(Distill)}
    unknown = [str(key) for key in value if key not in known]
    if unknown:
        raise ValueError(f"knows {', '.join(sorted(known))}, but found {', '.join(unknown)}")
    distill = Distill(**value)
    if distill.heads == NONE:
        return Recipe(NONE, None)
    return Recipe(_name(distill), distill)


def _name(distill: Distill) -> str:
    """The name of an equal recipe, else heads and what differs from the defaults."""
    for name, known in RECIPES.items():
        if known == distill:
            return name
    changed = {f.name: getattr(distill, f.name) for f in fields(Distill) if getattr(distill, f.name) != f.default}
    changed.pop("heads", None)
    return distill.heads + "".join(f" {name} {json.dumps(value)}" for name, value in changed.items())
