"""exfm.json: what is written comes back, fits its schema, and files of the first release still read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from automl.report.exfm import exfm_lines
from automl.report.exfm.page import render
from automl.study.exfm_json import EXFM_JSON, VERSION, exfm_schema, of_json, read_exfm, to_json, write_exfm
from search_spaces.errors import InputError
from tests.worlds.report_exfm import make_exfm, poor_runs

FIRST = Path(__file__).parent / "files" / "exfm-0.1.json"  # of a run of release 0.1: no version, verdict or inner name


def first() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FIRST.read_text())
    return found


@pytest.mark.parametrize("name", poor_runs())
def test_a_run_comes_back_as_it_was_and_fits_the_schema(name: str, tmp_path: Path) -> None:
    result = poor_runs()[name]
    file = write_exfm(tmp_path, result)
    written = json.loads(file.read_text())
    Draft202012Validator(exfm_schema()).validate(written)
    assert to_json(read_exfm(tmp_path)) == written == to_json(result)
    assert written["version"] == VERSION
    assert [path.name for path in tmp_path.iterdir()] == [EXFM_JSON]


def test_a_file_of_the_first_release_is_completed() -> None:
    found = first()
    result = of_json(found)
    assert list(result.students) == ["small_domains", "conversions"]
    for name, student in result.students.items():
        old = found["students"][name]
        assert student.name == name
        assert [part.name for part in student.windows] == [window["name"] for window in old["windows"]]
        assert [part.name for part in student.segments.values()] == list(old["segments"])
        for recipe, figures in student.all.recipes.items():
            assert figures.name == recipe
            assert figures.ne == old["all"]["recipes"][recipe]["ne"]
    gain = result.students["small_domains"].gain
    assert gain is not None
    assert (gain.verdict, gain.judged_p) == ("better", gain.p_corrected)
    segment = result.students["small_domains"].segments["new item"].recipes["auto"].gain
    assert segment is not None
    assert math.isnan(segment.p_corrected)
    Draft202012Validator(exfm_schema()).validate(to_json(result))


def test_every_key_of_the_first_release_is_still_there() -> None:
    def hold(old: Any, new: Any, at: str) -> None:
        if isinstance(old, dict):
            for key in old:
                assert key in new, f"{at}.{key}"
                hold(old[key], new[key], f"{at}.{key}")
        elif isinstance(old, list):
            for k, (one, other) in enumerate(zip(old, new, strict=True)):
                hold(one, other, f"{at}[{k}]")
        else:
            assert old == new, at

    hold(first(), to_json(of_json(first())), "exfm")


def test_a_file_of_the_first_release_has_the_page_and_lines_that_it_had() -> None:
    result = of_json(first())
    assert [" ".join(line.split()) for line in exfm_lines(result)] == [
        "small_domains NE 0.9727 auto -0.31% [-0.56, -0.07] p 0.034 headroom -6.56% transfer 5% better",
        "conversions NE 1.0121 auto +0.00% [+0.00, +0.00] p 1 headroom +5.42% transfer - not proven, nothing to teach",
    ]
    assert render(result) == render(of_json(to_json(result)))


def changed(**changes: object) -> dict[str, object]:
    return {**to_json(make_exfm(1)), **changes}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "should be"),
        ({}, "must be what `automl exfm run` wrote, but found no 'students'"),
        ({"students": []}, "must be what `automl exfm run` wrote, but found something else"),
        ({"students": {"a": {}}}, "no 'all'"),
        (changed(version=VERSION + 1), f"must be of version {VERSION}, but found {VERSION + 1}"),
        (changed(seeds="many", das={}), "das.examples: field required"),
    ],
)
def test_another_file_is_an_input_error(found: object, words: str, tmp_path: Path) -> None:
    (tmp_path / EXFM_JSON).write_text(json.dumps(found))
    with pytest.raises(InputError) as caught:
        read_exfm(tmp_path)
    assert words in str(caught.value)
    assert str(tmp_path / EXFM_JSON) in str(caught.value)


def test_a_folder_without_one_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exfm\.json: must be there"):
        read_exfm(tmp_path)
