"""docs/data.md and the types of a stream's description say the same; what is shown is valid."""

from __future__ import annotations

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from automl.data.describe.streams import StreamDataConfig, StreamLabelConfig
from automl.data.describe.tables import FeaturesConfig
from search_spaces.source import read_text, validate
from tests.docs.pages import Fence, fences, names, page, rows, section


@pytest.mark.parametrize("model", [StreamDataConfig, StreamLabelConfig])
def test_every_key_is_told(model: type[BaseModel]) -> None:
    told = {name for row in rows(section(page("data.md"), "Streams")) for name in names(row[0])}
    assert set(model.model_fields) <= told


@pytest.mark.parametrize("fence", fences("yaml", "stream"), ids=lambda fence: fence.place)
def test_streams_in_the_page_are_valid(fence: Fence) -> None:
    assert validate(StreamDataConfig, read_text(fence.text, "stream.yaml")).labels


@pytest.mark.parametrize("fence", fences("yaml", "features"), ids=lambda fence: fence.place)
def test_features_in_the_page_are_valid(fence: Fence) -> None:
    told = YAML(typ="safe").load(fence.text)["features"]
    assert FeaturesConfig.model_validate(told).sequence
