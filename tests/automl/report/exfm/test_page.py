"""The page of an ExFM run: what it says of good and poor runs, and how it is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from automl.report.exfm import write_exfm_report
from automl.study.exfm_json import read_exfm, write_exfm
from automl.study.exfm_results import ExfmResult, Refusal
from search_spaces.errors import InputError
from tests.automl.report.study.test_page import Elements, parsed, records
from tests.automl.report.test_browser import NARROW, WIDE, Visit, opened
from tests.worlds.report_exfm import make_exfm, one_class, poor_runs
from tests.worlds.report_studies import ATTACK

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LABELS_OF_FIGURES = {"gains", "calibration", "headroom", "core-time", "staleness", "window-rows"}


def written(folder: Path, found: ExfmResult) -> Path:
    write_exfm(folder, found)
    return write_exfm_report(read_exfm(folder), folder)


def said(elements: Elements) -> str:
    return re.sub(r"\s+", " ", " ".join(elements.text))


def test_page_answers_every_question(tmp_path: Path) -> None:
    found = make_exfm(2)
    refusals = (Refusal(17, f"its calibration is 9.1 {ATTACK}"),)
    found = replace(found, teacher=replace(found.teacher, refusals=refusals))
    elements = parsed(written(tmp_path, found))
    text = said(elements)
    for words in (
        "The teacher helps both students: NE 0.4",
        "With auto, each window is served by the arm that the windows before it favour.",
        "Scored on 4 windows (2022-05-05 to 2022-05-08) before each was learnt, 3 seeds.",
        "p is corrected over the 2 students.",
        "1 snapshot of 192 refused",
        "No segment is shown to lose.",
        "students whose teacher is better than they are",
        "shared by 2 students",
        "99.0%",
        "of 80,000 unique examples",
        f"its calibration is 9.1 {ATTACK}",
        "12 rows lie outside of the days",
        "deep tower 64-32",
        "auto: plain-averaged (1 seed), calibrated-averaged (1 seed), auxiliary-averaged (1 seed)",
    ):
        assert words in text, words
    figures = {figure["name"] for figure in records(elements, "figures")}
    assert figures >= LABELS_OF_FIGURES | {"segment-new-user", "gain-v1", "ne-v2", "calibration-v2", "served-v1"}
    assert not [tag for tag, _ in elements.found if tag == "img"]
    assert len(elements.scripts) == 5  # theme, figures, plotly, charts, page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exfm.html", "exfm.json"]


@pytest.mark.parametrize("name", poor_runs())
def test_poor_runs_have_a_page(name: str, tmp_path: Path) -> None:
    elements = parsed(written(tmp_path, poor_runs()[name]))
    assert not re.search(r"\b(nan|None|inf)\b", said(elements))


def test_a_folder_without_results_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exfm\.json"):
        read_exfm(tmp_path)


# ---------------------------------------------------------------------- in a browser


@pytest.fixture
def visit(browser: Browser) -> Any:
    """Open a file for one test."""
    visits: list[Visit] = []

    def opener(*arguments: Any, **options: Any) -> Visit:
        visits.append(opened(browser, *arguments, **options))
        return visits[-1]

    yield opener
    for each in visits:
        each.end()


def test_page_fits_every_width_and_draws_the_chosen_student(visit: Callable[..., Visit], tmp_path: Path) -> None:
    found = one_class(make_exfm(6, recipes=("none", "auto", "plain", "plain-averaged"), muted=True, days=14), "v3", 1)
    page = visit(written(tmp_path, found), NARROW).page
    page.evaluate("() => document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    for width in (NARROW[0], 320, 761, WIDE[0]):
        page.set_viewport_size({"width": width, "height": 900})
        for _ in range(50):  # charts are laid out anew
            page.wait_for_timeout(200)
            if page.evaluate("document.documentElement.scrollWidth") <= width:
                break
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        beyond = page.evaluate(
            """() => [...document.querySelectorAll('main *')].filter((element) => {
                const box = element.getBoundingClientRect();
                const clipped = element.closest('.scroll, pre, svg, .js-plotly-plot');
                return box.width > 0 && box.right > innerWidth + 1 && !clipped;
            }).map((element) => element.outerHTML.slice(0, 120))"""
        )
        assert beyond == []
    assert page.evaluate("document.querySelector('[data-figure=gain-v2]').data") is None  # not drawn yet
    page.locator("#panels").get_by_role("button", name="v2").click()
    page.wait_for_selector("[data-figure=served-v2].js-plotly-plot")
    assert page.locator("[data-panel]:visible").count() == 1
    assert page.evaluate("document.querySelector('[data-figure=gain-v2]').clientWidth") > 300
    before = page.evaluate("document.querySelector('[data-figure=gains]').layout.font.color")
    page.get_by_role("button", name="Switch between light and dark").click()
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('[data-figure=gains]').layout.font.color") != before


@pytest.mark.parametrize("name", ["no recipe with a teacher", "a teacher that never spoke", "all of one class"])
def test_poor_runs_are_drawn_without_errors(name: str, visit: Callable[..., Visit], tmp_path: Path) -> None:
    page = visit(written(tmp_path, poor_runs()[name]), NARROW, scheme="dark").page
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
