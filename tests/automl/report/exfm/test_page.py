"""The page and the lines of an ExFM run: what they say of good, poor and broken runs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from automl.report.exfm import exfm_lines, write_exfm_report
from automl.report.exfm.style import looks, window_axis
from automl.report.exfm.tables import rows_of
from automl.report.exfm.verdict import answer, notes, shipping
from automl.study.exfm_json import write_exfm
from automl.study.exfm_results import ExfmResult, RecipeGain, Refusal, TeacherFigures
from search_spaces.errors import InputError
from tests.automl.report.study.test_page import Elements, parsed, records
from tests.automl.report.test_browser import NARROW, WIDE, Visit, opened
from tests.worlds.report_exfm import make_exfm, one_class, with_recipe, with_student
from tests.worlds.report_studies import ATTACK

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LABELS_OF_FIGURES = {"gains", "calibration", "headroom", "core-time", "staleness", "window-rows"}


def written(folder: Path, found: ExfmResult) -> Path:
    write_exfm(folder, found)
    return write_exfm_report(folder)


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


@pytest.mark.parametrize(
    ("change", "headline", "tone"),
    [
        ({"students": 1}, "The teacher helps v1: NE 0.4", "good"),
        ({"gain_pct": 0.5}, "The teacher harms 2 of 2 students: NE 0.5", "bad"),
        ({"students": 1, "gain_pct": 0.5}, "The teacher harms v1: NE 0.5", "bad"),
        ({"half_width_pct": 2.0}, "No gain proven yet: NE 0.4", "plain"),
        ({"p": 0.04}, "No gain proven yet: NE 0.4", "plain"),  # corrected, it is 0.08
        ({"half_width_pct": 2.0, "headroom_pct": 0.1}, "No gain: the teacher knows no more", "plain"),
        ({"recipes": ("none",)}, "Nothing to say of the teacher yet.", "plain"),
        ({"students": 20}, "The teacher helps 7 and harms 5 of 20 students: NE", "plain"),
    ],
)
def test_headline_is_no_surer_than_the_figures(change: dict[str, Any], headline: str, tone: str) -> None:
    found = answer(make_exfm(**change))
    assert found.headline.startswith(headline)
    assert found.tone == tone


def test_without_auto_the_best_recipe_is_named_and_said_to_flatter() -> None:
    result = make_exfm(1, recipes=("none", "plain", "auxiliary"))
    student = result.students["v1"]
    assert student.chosen is not None
    assert student.chosen.ne == min(recipe.ne for recipe in student.all.recipes.values())
    assert "known afterwards, it flatters" in answer(result).lead


def test_nothing_ships_that_loses_calibration_or_a_segment() -> None:
    good = make_exfm(1).students["v1"]
    assert shipping(good).decision == "yes"
    found = shipping(replace(good, all=with_recipe(good.all, "auto", calibration=1.3)))
    assert (found.decision, "→ 1.300" in found.why) == ("look first", True)
    worse = RecipeGain.single(pct=0.5, low_pct=0.2, high_pct=0.8, p=0.01)
    new_user = with_recipe(good.segments["new user"], "auto", gain=worse)
    found = shipping(replace(good, segments={**good.segments, "new user": new_user}))
    assert (found.decision, "Worse for new user." in found.why) == ("look first", True)
    assert shipping(make_exfm(1, gain_pct=0.5).students["v1"]).badge == "bad"


def test_notes_warn_only_where_there_is_something_to_warn_of() -> None:
    assert notes(make_exfm(2)) == ()
    told = " ".join(notes(make_exfm(2, headroom_pct=0.2, half_width_pct=2.0, muted=True)))
    assert "Nothing to teach: on the rows of v1 and v2" in told
    assert "auto did not hear the teacher any more at the end of the stream: v1 and v2." in told
    assert "3 seeds leave wide intervals" in told
    found = make_exfm(2, headroom_pct=-0.05)
    das = replace(found.das, coverage=0.8, calls_per_example=1.2, late=20_000)
    told = " ".join(notes(replace(found, das=das)))
    assert "Little to teach" in told
    assert "Only 80% of the examples have a prediction" in told
    assert "called 1.20 times an example" in told
    assert "12% of the labels came after the horizon." in told


def silent() -> ExfmResult:
    """A run whose teacher never scored a row."""
    found = make_exfm(1)
    student = found.students["v1"]
    unheard = TeacherFigures(coverage=0.0)
    recipes = {name: replace(recipe, transfer_ratio=math.nan) for name, recipe in student.all.recipes.items()}
    whole = replace(student.all, teacher=unheard, recipes=recipes)
    windows = tuple(replace(part, teacher=unheard) for part in student.windows)
    none = replace(found.das, scored=0, calls=0, ages=(0,) * 12, coverage=0.0)
    das = replace(none, calls_per_example=math.nan, rows_per_second=math.nan)
    return replace(with_student(found, "v1", all=whole, windows=windows), das=das)


def untimed() -> ExfmResult:
    """A run whose clocks stood still."""
    found = make_exfm(1)
    runs = {
        name: tuple(replace(run, train_seconds=dict.fromkeys(run.train_seconds, 0.0)) for run in each)
        for name, each in found.students["v1"].runs.items()
    }
    return with_student(found, "v1", runs=runs)


def broken() -> dict[str, ExfmResult]:
    """Runs that lack something."""
    return {
        "no recipe with a teacher": make_exfm(1, recipes=("none",)),
        "a teacher that never spoke": silent(),
        "one scored window": make_exfm(1, days=2),
        "a window of one class": one_class(make_exfm(2), "v1", 1),
        "a student of one class": one_class(make_exfm(2), "v2", None),
        "all of one class": one_class(make_exfm(1), "v1", None),
        "no times": untimed(),
        "no segments": with_student(make_exfm(2), "v1", segments={}),
        "many": make_exfm(20, recipes=("none", "auto", "plain", "plain-averaged", "auxiliary"), muted=True),
    }


@pytest.mark.parametrize("name", broken())
def test_poor_runs_have_a_page_and_lines(name: str, tmp_path: Path) -> None:
    found = broken()[name]
    elements = parsed(written(tmp_path, found))
    assert not re.search(r"\b(nan|None|inf)\b", said(elements))
    lines = exfm_lines(found)
    assert len(lines) == len(found.students)
    assert not [line for line in lines if re.search(r"\b(nan|None|inf)\b", line)]


def test_lines_of_the_terminal() -> None:
    found = make_exfm(2, gain_pct=-0.5, headroom_pct=-1.0)
    gain = RecipeGain.single(pct=-0.5, low_pct=-0.7, high_pct=-0.3, p=0.001).corrected(0.002)
    whole = with_recipe(found.students["v1"].all, "none", ne=0.8634)
    whole = with_recipe(whole, "auto", gain=gain, transfer_ratio=0.5)
    (first, second) = exfm_lines(with_student(found, "v1", all=whole))
    shown = "v1 NE 0.8634 auto -0.50% [-0.70, -0.30] p 0.002 headroom -1.00% transfer 50% better"
    assert " ".join(first.split()) == shown
    assert first.isascii()
    assert second.startswith("v2  NE ")


def test_a_folder_without_results_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exfm\.json"):
        write_exfm_report(tmp_path)


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
    page = visit(written(tmp_path, broken()[name]), NARROW, scheme="dark").page
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]


def test_gains_are_corrected_where_a_correction_is_known() -> None:
    student = make_exfm(1, p=0.01).students["v1"]
    (row, *_) = [row for row in rows_of(student) if row.recipe == "auto"]
    assert (row.part.name, row.p) == ("all", "0.020")
    (row, *_) = [row for row in rows_of(student) if row.recipe == "auto" and row.part.name == "new user"]
    assert row.p == "0.010"
