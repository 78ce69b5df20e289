"""What a recipe looks like, and the axis of windows."""

from __future__ import annotations

import pytest

from automl.report.exfm.style import looks, window_axis


def test_recipes_of_a_family_are_told_apart() -> None:
    found = looks(["none", "auto", "plain", "plain-averaged", "auxiliary", "auxiliary-averaged", "both weight 2.0"])
    drawn = [(look.colour, look.dash) for look in found.values()]
    assert len(set(drawn)) == len(drawn)
    assert found["plain"].colour == found["plain-averaged"].colour


@pytest.mark.parametrize(
    "names", [["rows 0-20000"], [f"2022-05-{d:02d} {h:02d}:00" for d in (1, 2) for h in range(24)]]
)
def test_an_axis_of_windows_has_few_short_labels(names: list[str]) -> None:
    axis = window_axis(names)
    assert sum(len(text) + 2 for text in axis["ticktext"]) <= 60
    assert [names[k].endswith(text) for k, text in zip(axis["tickvals"], axis["ticktext"], strict=True)]
