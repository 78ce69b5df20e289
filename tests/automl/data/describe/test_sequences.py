"""Keys of a sequence that go together, and those that do not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from automl.data.describe.sequences import SequenceConfig
from automl.data.describe.streams import StreamDataConfig
from automl.data.describe.tables import CategoricalConfig, FeaturesConfig


def test_a_key_may_be_one_column_or_several() -> None:
    one, several = (SequenceConfig.model_validate({"of": "word", "by": by}) for by in ("user", ["user", "tab"]))
    assert (one.by, several.by, one.built) == (("user",), ("user", "tab"), True)
    assert SequenceConfig.model_validate({"of": "word", "by": ["user"], "delay": "10m"}).delay == 600.0
    listed = SequenceConfig.model_validate({"of": "word", "times": "then", "actions": "what"})
    assert (listed.built, listed.action_columns, listed.max_len) == (False, (), 50)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"of": "word", "by": "user", "column": "past"}, "must give by or column, not both"),
        ({"of": "word", "by": "user", "times": "past"}, "must give by or times, not both"),
        ({"of": "word", "by": "user", "actions": "click"}, "actions must be a list of columns of 0 and 1 where by is"),
        (
            {"of": "word", "by": "user", "actions": [f"a{k}" for k in range(9)]},
            "actions must be at most 8, but found 9",
        ),
        ({"of": "word", "actions": ["click"]}, "actions must be one list column"),
        ({"of": "word", "delay": "10m"}, "delay must be left out of a list column"),
        ({"of": "word", "by": "user", "max_len": 0}, "greater than or equal to 1"),
    ],
)
def test_keys_that_do_not_go_together(part: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        SequenceConfig.model_validate(part)


def test_a_stream_has_none() -> None:
    features = {"categorical": {"user": {}}, "sequence": {"seen": {"of": "user", "by": "user"}}}
    told = {"path": "log", "time": "time_ms", "labels": {"click": "click"}, "features": features}
    with pytest.raises(ValueError, match="sequence must be left out of a stream"):
        StreamDataConfig.model_validate(told)


def test_buckets_are_of_rare_ids_and_of_no_stream() -> None:
    one = {"path": "log", "time": "time_ms", "labels": {"click": "click"}}
    features: dict[str, Any] = {"categorical": {"user": {"min_count": 2, "buckets": 8}}}
    with pytest.raises(ValueError, match="buckets must be left out of a stream: it keeps every id"):
        StreamDataConfig.model_validate({**one, "features": features})
    with pytest.raises(ValueError, match="buckets must have a min_count of 2 or more"):
        CategoricalConfig.model_validate({"buckets": 8})
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        CategoricalConfig.model_validate({"min_count": 2, "buckets": 1})


@pytest.mark.parametrize("features", [{"categorical": {"word": {}, "seen": {}}}, {"dense": ["seen"]}])
def test_a_sequence_has_a_name_of_its_own(features: dict[str, Any]) -> None:
    told = {"categorical": {"word": {}}, "sequence": {"seen": {"of": "word"}}, **features}
    with pytest.raises(ValueError, match="a sequence must have a name of its own, but found seen"):
        FeaturesConfig.model_validate(told)
