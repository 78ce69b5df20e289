"""docs/schemas/check.json and docs/cli.md against what `automl check --json` prints."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from automl.study.checked import (
    Checked,
    CheckedFeature,
    CheckedNote,
    CheckedWindow,
    Cost,
    NoteKind,
    TrialSeconds,
    checked_schema,
)
from tests.docs.pages import ROOT, names, page, rows, section

VALUE = Checked(
    windows={"train": CheckedWindow(rows=10, positive=0.1, first=None, last=None)},
    features={"a": CheckedFeature(kind="categorical", vocabulary=3, missing={"train": 0.0}, unknown={})},
    notes=(CheckedNote(at="study.yaml:1:1", text="words", kind="leak"),),
    cost=Cost(
        trial_seconds=TrialSeconds(low=1.0, baseline=2.0, high=3.0),
        search_minutes=4.0,
        memory_gib=1.0,
        disk_gib=0.1,
    ),
)


def test_the_schema_is_that_of_what_is_printed() -> None:
    """`python -c "import json; from automl.study.checked import *; print(json.dumps(checked_schema(), indent=1))"`
    writes it anew."""
    assert json.loads((ROOT / "docs" / "schemas" / "check.json").read_text()) == checked_schema()


def test_what_is_printed_is_of_the_schema() -> None:
    Draft202012Validator.check_schema(checked_schema())
    Draft202012Validator(checked_schema()).validate(VALUE.to_json())


@pytest.mark.parametrize("change", [{"cost": {}}, {"notes": [{"text": "alone"}]}, {"windows": None}])
def test_what_is_never_printed_is_refused(change: dict[str, Any]) -> None:
    assert not Draft202012Validator(checked_schema()).is_valid({**VALUE.to_json(), **change})


def test_every_key_is_told() -> None:
    table = rows(section(page("cli.md"), "automl check"))
    told = {name for row in table for cell in row for name in names(cell)}
    for kind in (Checked, CheckedWindow, CheckedFeature, CheckedNote, Cost, TrialSeconds):
        assert {field.name for field in fields(kind)} <= told, kind.__name__
    assert set(get_args(NoteKind)) <= told
