"""The ledger of a family: a place is taken once, kept, and not talked away."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from automl.stats.spending import level_of
from automl.study.config import FinalsConfig
from automl.study.facts import Place
from automl.study.family import ledger_file, take_place
from automl.study.results import Family
from search_spaces.errors import InputError
from tests.worlds.studies import study_facts


def taken(folder: Path, study: str, family: str = "ads", started_at: float = 1.0, known: Place | None = None) -> Family:
    return take_place(folder, family, study, study_facts(started_at=started_at, family=known), folder / study)


def test_studies_take_places_in_the_order_of_their_finals_and_keep_them(tmp_path: Path) -> None:
    assert [taken(tmp_path, name).place for name in ("a", "b", "a", "c")] == [1, 2, 1, 3]
    assert taken(tmp_path, "b") == Family(name="ads", place=2, level=level_of(2))
    assert taken(tmp_path, "a", started_at=2.0).place == 4, "a study that was started anew is another one"
    assert taken(tmp_path, "a", family="feed").place == 1
    assert sorted(file.name for file in tmp_path.glob(".automl-family-*.json")) == [
        ".automl-family-ads.json",
        ".automl-family-feed.json",
    ]


def test_studies_at_once_take_different_places(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda k: taken(tmp_path, f"study-{k}").place, range(8)))
    assert sorted(places) == list(range(1, 9))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "must be JSON"),
        ("[]", "input should be"),
        ('{"version": 2, "family": "ads", "studies": []}', "must be of version 1, but found 2"),
        ('{"version": 1, "family": "feed", "studies": []}', "must be the ledger of the family ads, but found feed"),
        (
            '{"version": 1, "family": "ads", "studies": [{"study": "a", "started_at": 1.0, "place": 2}]}',
            "places must count from 1, each once and in their order, but found 2",
        ),
        (
            '{"version": 1, "family": "ads", "studies": [{"study": "a", "started_at": 1.0, "place": 1}, '
            '{"study": "a", "started_at": 1.0, "place": 2}]}',
            "must hold each study once",
        ),
        ('{"version": 1, "family": "ads", "studies": [{"study": "a", "place": 1}]}', "studies.0.started_at: field"),
    ],
)
def test_a_bad_ledger_is_refused_and_left_alone(text: str, told: str, tmp_path: Path) -> None:
    file = ledger_file(tmp_path, "ads")
    file.write_text(text)
    with pytest.raises(InputError, match=r".*") as raised:
        taken(tmp_path, "b")
    assert told in str(raised.value)
    assert file.name in str(raised.value)
    assert file.read_text() == text


def test_a_place_that_the_record_tells_is_not_taken_anew(tmp_path: Path) -> None:
    taken(tmp_path, "a")
    family, known = taken(tmp_path, "b"), Place(name="ads", place=2, ledger="..")
    assert taken(tmp_path, "b", known=known) == family
    ledger_file(tmp_path, "ads").unlink()
    told = f"must hold b at place 2 of the family ads, but found no place\n.*it was in {tmp_path} and was moved"
    with pytest.raises(InputError, match=told):
        taken(tmp_path, "b", known=known)


def test_the_ledger_is_read_by_people(tmp_path: Path) -> None:
    taken(tmp_path, "a")
    assert json.loads(ledger_file(tmp_path, "ads").read_text()) == {
        "version": 1,
        "family": "ads",
        "studies": [{"study": "a", "started_at": 1.0, "place": 1}],
    }


@pytest.mark.parametrize("wrong", [{"family": "a/b"}, {"family": ""}, {"family": "../x"}, {"ledger": "here"}])
def test_names_that_are_no_part_of_a_file_name_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must"):
        FinalsConfig.model_validate(wrong)
    FinalsConfig.model_validate({"family": "ads_2-b", "ledger": "../ledgers"})
