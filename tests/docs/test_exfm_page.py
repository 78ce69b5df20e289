"""docs/exfm.md, the types of an ExFM file and the recipes say the same; the files shown are valid."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import get_args

import pytest
from pydantic import BaseModel

from automl.commands.init import EXFM_FILES, template_text
from automl.exfm import config
from automl.exfm.student import auto
from automl.exfm.student.recipes import ARMS, RECIPES, recipe_of
from automl.study.exfm_figures import AUTO, RecipeFigures, RecipeGain, Verdict
from automl.study.exfm_json import exfm_schema
from automl.study.exfm_results import ExfmResult, StudentResult
from search_spaces.source import read_text, validate
from search_spaces.space import model_of
from tests.docs.pages import ROOT, Fence, fences, names, page, rows, section
from tests.docs.test_study_page import _parts, _shown

TABLES: dict[type[BaseModel], str] = {
    config.ExfmConfig: "Keys at the top",
    config.TeacherConfig: "teacher",
    config.GuardConfig: "teacher",
    config.UpgradeConfig: "teacher",
    config.StudentConfig: "students",
}


def test_every_part_of_the_file_has_a_table() -> None:
    of_streams = _parts(config.StreamDataConfig, set())
    assert _parts(config.ExfmConfig, set()) - of_streams == set(TABLES)


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_every_key_is_told_with_its_default(model: type[BaseModel]) -> None:
    table: dict[str, list[list[str]]] = {}
    for row in rows(section(page("exfm.md"), TABLES[model])):
        for name in names(row[0]):
            table.setdefault(name, []).append(row)
    for name, field in model.model_fields.items():
        assert name in table, f"{name} of {model.__name__} must be in docs/exfm.md"
        shown = "`1h`" if name == "timeout" else _shown(field)
        assert shown is None or any(shown in cell for row in table[name] for cell in row[1:]), (
            f"{name} must say {shown}"
        )


def test_recipes_are_those_there_are() -> None:
    told = {names(row[0])[0]: row[2] for row in rows(section(page("exfm.md"), "Recipes")) if names(row[0])}
    assert list(told) == [*RECIPES, AUTO]
    for name, distill in RECIPES.items():
        if distill is not None:
            knobs = read_text(f"{{{names(told[name])[0]}}}", "recipe").data
            assert recipe_of(knobs).distill == distill, name


def test_auto_is_told_as_it_is() -> None:
    text = section(page("exfm.md"), "auto")
    assert set(names(text.split("side by side")[0])) == {AUTO, *ARMS}
    assert f"keeps {auto.DISCOUNT:g} of its weight" in text
    assert f"{auto.DROP_AT:g} standard errors behind after {auto.DROP_AFTER} windows" in text


def test_the_schema_is_that_of_what_is_written() -> None:
    """`python -c "from automl.study.exfm_json import *; print(json.dumps(exfm_schema(), indent=1))"` writes it anew."""
    assert json.loads((ROOT / "docs" / "schemas" / "exfm.json").read_text()) == exfm_schema()


def test_the_keys_of_exfm_json_are_told() -> None:
    text = section(page("exfm.md"), "exfm.json")
    told = {name for row in rows(text) for name in names(row[0])}
    for kind in (ExfmResult, StudentResult, RecipeFigures):
        assert {field.name for field in fields(kind)} - {"name"} <= told, kind.__name__
    assert {field.name for field in fields(RecipeGain)} <= set(names(text))
    assert set(get_args(Verdict)) <= set(names(text))


@pytest.mark.parametrize("fence", fences("yaml", "exfm"), ids=lambda fence: fence.place)
def test_files_in_the_pages_are_valid(fence: Fence) -> None:
    assert validate(config.ExfmConfig, read_text(fence.text, "exfm.yaml")).students


def test_the_template_is_valid_and_explains_itself() -> None:
    first, *models = EXFM_FILES
    text = template_text("exfm", first)
    found = validate(config.ExfmConfig, read_text(text, first))
    assert {found.teacher.model, *(student.model for student in found.students.values())} == set(models)
    assert sum("#" in line for line in text.splitlines()) > 12
    assert "docs/exfm.md" in text
    for name in models:
        assert model_of(read_text(template_text("exfm", name), name)).deep
