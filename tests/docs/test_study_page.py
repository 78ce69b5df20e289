"""docs/study.md and the study file's types say the same; the studies shown are valid."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from automl.data.describe import parts, split
from automl.data.describe import tables as data_config
from automl.data.describe.sequences import SequenceConfig
from automl.data.describe.text import CsvConfig
from automl.report.study.verdict import ROLE_MEANING
from automl.strategies.picks import ROLES
from automl.study import config
from automl.study.config import StudyConfig
from automl.study.file import config_of
from search_spaces.source import read_text
from tests.docs.pages import Fence, fences, names, page, rows, section

# part of the file -> heading of the table that has its keys
TABLES: dict[type[BaseModel], str] = {
    config.StudyConfig: "Keys at the top",
    data_config.DataConfig: "data",
    data_config.LessonsConfig: "lessons",
    CsvConfig: "Text files",
    data_config.JoinConfig: "data",
    data_config.TimeConfig: "data",
    data_config.LabelConfig: "data",
    data_config.FeaturesConfig: "data",
    data_config.CategoricalConfig: "data",
    data_config.DenseConfig: "data",
    data_config.VectorConfig: "data",
    data_config.CountersConfig: "data",
    data_config.RecentConfig: "data",
    SequenceConfig: "data",
    split.SplitConfig: "data",
    config.SearchConfig: "search",
    config.TrialConfig: "trial",
    config.ResourcesConfig: "resources",
    config.QpsConfig: "qps",
    config.FinalsConfig: "finals",
}


def _parts(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """The models that a model is made of, itself included."""
    if model not in seen:
        seen.add(model)
        for field in model.model_fields.values():
            for kind in _kinds(field.annotation):
                _parts(kind, seen)
    return seen


def _kinds(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [kind for inner in get_args(annotation) for kind in _kinds(inner)]


def test_every_part_of_the_file_has_a_table() -> None:
    assert _parts(StudyConfig, set()) == {*TABLES, split.RandomSplit}


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_every_key_is_told_with_its_default(model: type[BaseModel]) -> None:
    table: dict[str, list[list[str]]] = {}
    for row in rows(section(page("study.md"), TABLES[model])):
        for name in names(row[0]):
            table.setdefault(name, []).append(row)
    for name, field in model.model_fields.items():
        key = field.alias or name
        assert key in table, f"{key} of {model.__name__} must be in docs/study.md"
        shown = _shown(field)
        assert shown is None or any(shown in cell for row in table[key] for cell in row[1:]), f"{key} must say {shown}"


def _shown(field: FieldInfo) -> str | None:
    """A default as the page writes it; None where it says so in its own way (durations, sizes, names)."""
    default = field.get_default()
    if field.is_required():
        return "required"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, str) and default != "label":
        return default
    told_in_words = (600.0, 4 << 30, parts.DAY_SECONDS, 7 * parts.DAY_SECONDS)
    return f"{default:g}" if isinstance(default, int | float) and default not in told_in_words else None


def test_the_shares_of_a_random_split_are_shown() -> None:
    text = section(page("study.md"), "data")
    for name, field in split.RandomSplit.model_fields.items():
        assert f"{field.alias or name}: 0" in text


def test_strategies_and_picks_are_told() -> None:
    table = {names(row[0])[0] for row in rows(section(page("study.md"), "search")) if names(row[0])}
    assert set(config.STRATEGIES) <= table
    told = [row[0] for row in rows(section(page("statistics.md"), "Picks"))[1:]]
    assert told == list(ROLES)
    assert set(ROLES) == set(ROLE_MEANING)


@pytest.mark.parametrize("fence", fences("yaml", "study"), ids=lambda fence: fence.place)
def test_studies_in_the_pages_are_valid(fence: Fence) -> None:
    assert config_of(read_text(fence.text, "study.yaml")).name
