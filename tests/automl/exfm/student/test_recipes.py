from __future__ import annotations

import pytest

from automl.exfm.student.recipes import ARMS, RECIPES, recipe_of
from automl.study.exfm_figures import AUTO, NONE
from search_spaces.model import Distill


def test_names_are_recipes() -> None:
    for name, distill in RECIPES.items():
        recipe = recipe_of(name)
        assert (recipe.name, recipe.distill, recipe.auto) == (name, distill, False)
        assert recipe.arms == ((name, distill),)


def test_auto_is_its_arms() -> None:
    recipe = recipe_of(AUTO)
    assert recipe.auto
    assert tuple(name for name, _ in recipe.arms) == ARMS
    assert NONE in ARMS
    assert dict(recipe.arms)[NONE] is None


def test_equal_recipes_have_one_name() -> None:
    assert recipe_of({"heads": "auxiliary"}).name == "auxiliary"
    assert recipe_of({"heads": "plain", "weight": 3.0, "averaged": True}).name == "plain-averaged"
    assert recipe_of({"heads": "plain", "beta": 0.3}) == recipe_of("plain")  # a knob that plain does not read
    assert recipe_of({"heads": "none", "weight": 2.0}) == recipe_of("none")


def test_knobs_make_a_name_of_their_own() -> None:
    found = recipe_of({"heads": "auxiliary", "weight": 2, "alpha": 1.5})
    assert found.name == "auxiliary weight 2.0 alpha 1.5"
    assert found.distill == Distill(heads="auxiliary", weight=2, alpha=1.5)
    names = {recipe_of({"heads": "auxiliary", "weight": weight}).name for weight in (0.5, 1.0, 2.0, 5.0)}
    assert len(names) == 4


@pytest.mark.parametrize(
    ("value", "words"),
    [("plan", "must be one of auto, none, plain"), (3, "must be one of"), ({"head": "plain"}, "found head")],
)
def test_what_is_none_is_told(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recipe_of(value)
    with pytest.raises(ValueError, match="weight"):
        recipe_of({"weight": -1.0})
