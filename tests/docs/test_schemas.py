"""The schemas of result files under docs/schemas, against what is written, and the pages that tell of them."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from automl.stats.verdicts import Verdict
from automl.study.results import Correction, Family, Finals, Parts, PickParts, SpokenOf, TaskGain
from tests.docs.pages import ROOT, names, page, rows, section
from tests.worlds.report_studies import make_finals, rich_history, unfit

FINALS: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / "finals.json").read_text())
PARTS = Parts(
    brought_ne=0.87,
    brought_ne_std=0.001,
    tuned_gain_pct=-0.4,
    tuned_ci_low_pct=-0.5,
    tuned_ci_high_pct=-0.3,
    picks=(
        PickParts(
            trial=3,
            brought_gain_pct=-0.6,
            brought_ci_low_pct=-0.7,
            brought_ci_high_pct=-0.5,
            training_gain_pct=float("nan"),
            architecture_gain_pct=float("nan"),
            architecture_ci_low_pct=float("nan"),
            architecture_ci_high_pct=float("nan"),
        ),
    ),
)
TESTED = Correction(before=1, models=2, p={3: 0.01})
OTHER = TaskGain(task="cvr", ne=0.8, ne_gain_pct=0.2, ci_low_pct=0.1, ci_high_pct=0.3, p_corrected=0.01)
FAMILY = Family(name="ads", place=2, level=0.0076, ledger="..")


@pytest.fixture(scope="module")
def found() -> Finals:
    """Every verdict, and a pick that is unfit."""
    of = SpokenOf(
        data="d",
        finals_data="e",
        baseline="b",
        models={3: "m"},
        predictions={"3": "p", "baseline": "q"},
        name="s",
        started_at=1.7e9,
    )
    finals = replace(make_finals(rich_history()), confirmed={3: (-0.2, 0.1)}, parts=PARTS, of=of, family=FAMILY)
    finals = replace(finals, tested=TESTED, baseline=replace(finals.baseline, nes={"ctr": 0.9, "cvr": 0.8}))
    first, *others = finals.picks
    finals = replace(finals, picks=(replace(first, tasks=(OTHER,)), *others))
    return replace(finals, picks=(*finals.picks, unfit(finals.picks[0])))


def test_the_schema_of_the_finals_is_one() -> None:
    Draft202012Validator.check_schema(FINALS)


def test_finals_are_of_their_schema(found: Finals) -> None:
    told = Draft202012Validator(FINALS)
    told.validate(json.loads(json.dumps(found.to_json())))
    bare = replace(found, seeds_wanted=None, trials=None, confirmed=None, parts=None, of=None, family=None, tested=None)
    told.validate(bare.to_json())


def test_the_schema_allows_no_key_that_is_not_written(found: Finals) -> None:
    data: Any = found.to_json()
    assert set(data) == set(FINALS["properties"])
    assert set(data["baseline"]) == set(FINALS["properties"]["baseline"]["properties"])
    assert set(data["picks"][0]["tasks"][0]) == {field.name for field in fields(TaskGain)}
    assert set(data["of"]) == set(FINALS["properties"]["of"]["properties"])
    parts = FINALS["properties"]["parts"]["properties"]
    assert set(data["parts"]) == set(parts)
    assert set(data["parts"]["picks"][0]) == set(parts["picks"]["items"]["properties"])
    assert {key for pick in data["picks"] for key in pick} == set(FINALS["$defs"]["pick"]["properties"])


@pytest.mark.parametrize("change", [{"seeds": 1}, {"more": 1}, {"version": 1}, {"picks": []}])
def test_what_the_finals_never_write_is_refused(found: Finals, change: dict[str, object]) -> None:
    assert not Draft202012Validator(FINALS).is_valid({**found.to_json(), **change})


def test_every_key_of_the_finals_is_told() -> None:
    tables = rows(section(page("cli.md"), "automl finals"))
    told = {word for row in tables for word in names(row[0])}
    assert set(FINALS["$defs"]["pick"]["properties"]["verdict"]["enum"]) == set(Verdict)
    assert set(FINALS["properties"]) | set(FINALS["$defs"]["pick"]["properties"]) <= told
