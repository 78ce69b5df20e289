"""The page as a person meets it, in a real browser with every request forbidden but the file itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from automl.report.common.words import architecture
from automl.report.study.data import ReportData
from automl.report.study.derived import View
from automl.report.study.page import write_report
from automl.study.history import History, State
from tests.worlds.report_studies import complete, failed, history_of, make_facts, rich_data, rich_history

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

WIDE, NARROW = (1400, 900), (390, 844)


@dataclass
class Visit:
    """A page with all that it said and asked for."""

    page: Page
    loads: int = 1
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def end(self) -> None:
        """Nothing may have been logged, fetched or run."""
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))] == []
        assert len([url for url in self.asked if url.startswith("file:")]) == self.loads
        assert self.page.evaluate("window.hacked") is None
        self.page.context.close()


def opened(browser: Browser, file: Path, size: tuple[int, int] = WIDE, scheme: Any = "light") -> Visit:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, offline=True, reduced_motion="reduce"
    )
    context.set_default_timeout(60_000)
    visit = Visit(context.new_page())
    visit.page.on("console", lambda message: visit.said.append(f"{message.type}: {message.text}"))
    visit.page.on("pageerror", lambda error: visit.said.append(f"error: {error}"))
    visit.page.on("dialog", lambda dialog: visit.said.append(f"dialog: {dialog.message}"))
    visit.page.on("request", lambda request: visit.asked.append(request.url))
    visit.page.goto(file.as_uri())
    visit.page.wait_for_selector("html[data-drawn=yes]")
    return visit


@pytest.fixture(scope="module")
def desk(browser: Browser, proven_page: Path) -> Iterator[Page]:
    """The rich page on a wide screen. Tests share it: each sets what it looks at."""
    visit = opened(browser, proven_page)
    yield visit.page
    visit.end()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a file for one test."""
    visits: list[Visit] = []

    def opener(*arguments: Any, **options: Any) -> Visit:
        visits.append(opened(browser, *arguments, **options))
        return visits[-1]

    yield opener
    for each in visits:
        each.end()


def front_dots(page: Page, trace: str) -> Any:
    """The markers of a trace of the front, by its name."""
    index = page.evaluate(
        "name => document.querySelector('[data-figure=front]').data.findIndex(trace => trace.name === name)", trace
    )
    return page.locator("#chart-front .scatterlayer .trace").nth(index).locator(".point")


def hover(page: Page, dot: Locator, told: str) -> None:
    """Until the tip tells it: what is drawn anew while the mouse comes hears of no mouse."""
    from playwright.sync_api import TimeoutError as Late

    tip = page.locator("#tip", has_text=told)
    for _ in range(20):
        dot.hover(force=True)
        with suppress(Late):
            tip.wait_for(state="visible", timeout=3_000)
            return
        page.mouse.move(5, 5)
    tip.wait_for(state="visible")


def test_the_answer_is_on_the_first_screen(visit: Callable[..., Visit], proven_page: Path, searched_page: Path) -> None:
    for file, words in ((proven_page, "Ship #"), (searched_page, "Promising, not proven: #")):
        page = visit(file, NARROW).page
        for size in (NARROW, WIDE):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            heading = page.get_by_role("heading", level=1)
            assert words in heading.inner_text()
            box = page.locator(".card.leads .numbers").bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < size[1]  # with its figures, unscrolled


def test_front_hovered_shows_the_architecture(desk: Page) -> None:
    page = desk
    tip = page.locator("#tip")
    assert tip.is_hidden()
    view = View(rich_data(finals=True))
    first = view.picks[0][1]
    hover(page, front_dots(page, "picks").first, f"#{first.trial.number}")
    text = re.sub(r"\s+", " ", tip.inner_text())
    assert f"#{first.trial.number} NE −" in text
    assert architecture(first.trial.candidate.model) in text
    page.mouse.move(5, 5)
    tip.wait_for(state="hidden")
    hover(page, front_dots(page, "baseline").first, "the model to beat")
    page.mouse.move(5, 5)


def test_a_dot_clicked_opens_the_whole_model(desk: Page) -> None:
    page = desk
    number = View(rich_data(finals=True)).picks[0][1].trial.number
    dot = front_dots(page, "picks").first
    hover(page, dot, f"#{number}")  # Plotly clicks what is hovered
    dot.click(force=True)
    dialog = page.locator("#detail")
    dialog.wait_for(state="visible")
    text = dialog.inner_text()
    assert f"Trial #{number}" in text
    assert "batch_size: 1024" in text
    assert not re.search(r"\b(null|undefined|NaN)\b", text)
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")


def test_every_trial_has_a_detail_without_gaps(desk: Page) -> None:
    page = desk
    history = rich_history()
    kinds = {(t.state, t.failure.kind if t.failure else ""): t.number for t in history.trials}
    for (state, kind), number in kinds.items():
        page.evaluate("id => window.dispatchEvent(new CustomEvent('trialopen', {detail: {id}}))", number)
        text = page.locator("#detail").inner_text()
        assert f"Trial #{number}" in text
        assert state.value in text
        assert kind in text
        assert not re.search(r"\b(null|undefined|NaN)\b", text)
        page.get_by_role("button", name="Close").click()


def column(page: Page, index: int) -> list[str]:
    return page.locator(f"#table tbody tr td:nth-child({index})").all_inner_texts()


def test_table_sorts_both_ways_and_keeps_absent_values_last(desk: Page) -> None:
    page = desk
    history = rich_history()
    known = sorted(g for t in history.trials if (g := View(rich_data()).gain_pct(t)) == g)

    def number(text: str) -> float:
        return float(text.replace("−", "-").rstrip("%"))

    shown = [text for text in column(page, 2) if text != "–"]
    assert [number(text) for text in shown] == [round(gain, 2) for gain in known]  # by NE gain to begin with
    assert column(page, 2)[len(known) :] == ["–"] * (len(history.trials) - len(known))
    page.locator("#table th button", has_text="NE gain").click()
    assert [number(text) for text in column(page, 2)[: len(known)]] == [round(gain, 2) for gain in reversed(known)]
    assert column(page, 2)[-1] == "–"
    page.locator("#table th button", has_text="Trial").click()
    assert column(page, 1) == [f"#{t.number}" for t in history.trials]
    header = page.locator("#table th").first
    assert header.get_attribute("aria-sort") == "ascending"


def test_table_is_filtered(desk: Page) -> None:
    page = desk
    page.locator("#table th button", has_text="Trial").click()
    history = rich_history()
    page.locator("#state").select_option("failed")
    assert len(column(page, 1)) == len(history.of_state(State.FAILED))
    assert page.locator("#shown").inner_text() == f"{len(history.of_state(State.FAILED))} of 100 trials"
    page.locator("#state").select_option("")
    page.locator("#find").fill("masknet diverged")
    words = [t for t in history.trials if t.failure and t.failure.kind == "diverged"]
    expected = {f"#{t.number}" for t in words if "masknet" in architecture(t.candidate.model)}
    rows = column(page, 1)
    assert set(rows) == expected or rows == ["No trial fits these filters."] * (not expected)
    page.locator("#find").fill("<script>")
    assert column(page, 1) == [f"#{t.number}" for t in history.trials if t.failure and t.failure.kind == "error"]
    page.locator("#find").fill("")
    page.locator("#origin").select_option("random")
    assert set(column(page, 7)) == {"random"}
    page.locator("#origin").select_option("")
    page.get_by_label("front only").check()
    assert {int(text[1:]) for text in column(page, 1)} == {p.trial.number for p in View(rich_data()).front}
    page.get_by_label("front only").uncheck()
    assert len(column(page, 1)) == 100


def test_light_and_dark(visit: Callable[..., Visit], proven_page: Path) -> None:
    shown = visit(proven_page, scheme="dark")
    page, shown.loads = shown.page, 2
    ground = "getComputedStyle(document.body).backgroundColor"
    drawn = "document.querySelector('[data-figure=front]').layout.font.color"
    dark = page.evaluate(ground), page.evaluate(drawn)
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Switch between light and dark").click()
    for told, before in ((ground, dark[0]), (drawn, dark[1])):  # the charts follow
        page.wait_for_function(f"before => {told} !== before", arg=before)
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.reload()
    page.wait_for_selector("html[data-drawn=yes]")
    assert page.locator("html").get_attribute("data-theme") == "light"  # the choice is kept


def test_no_horizontal_overflow(visit: Callable[..., Visit], proven_page: Path) -> None:
    page = visit(proven_page, NARROW).page
    page.evaluate("() => document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    for width in (NARROW[0], 320, 761, WIDE[0]):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(400)  # charts are laid out anew
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
        beyond = page.evaluate(
            """() => [...document.querySelectorAll('main *')].filter((element) => {
                const box = element.getBoundingClientRect();
                const clipped = element.closest('.scroll, pre, svg, .js-plotly-plot');
                return box.width > 0 && box.right > innerWidth + 1 && !clipped;
            }).map((element) => element.outerHTML.slice(0, 120))"""
        )
        assert beyond == []


def test_charts_follow_the_chosen_axis_and_range(desk: Page) -> None:
    page = desk
    title = "document.querySelector('[data-figure=hypervolume]').layout.xaxis.title.text"
    assert page.evaluate(title) == "trials ended"
    page.get_by_role("button", name="Core time").click()
    assert "core time" in page.evaluate(title)
    span = "document.querySelector('[data-figure=front]').layout.yaxis.range"
    near = page.evaluate(span)
    page.get_by_role("button", name="All trials").click()
    everything = page.evaluate(span)
    assert everything[0] > near[0]


def test_hovering_the_front_knob_by_knob_lights_one_model(desk: Page) -> None:
    page = desk
    plot = page.locator("#chart-parallel")
    plot.scroll_into_view_if_needed()
    dot = plot.locator(".point").first
    dot.hover(force=True)  # scrolls to it, and a scroll hides the card
    page.wait_for_timeout(200)
    page.mouse.move(5, 5)
    dot.hover(force=True)
    page.locator("#tip").wait_for(state="visible")
    lit = page.evaluate(
        "document.querySelector('[data-figure=parallel]').data.filter(trace => trace.opacity === 1).length"
    )
    assert lit == 1


@pytest.mark.parametrize(
    "history",
    [
        history_of(),
        history_of(*(failed(n) for n in range(1, 4))),
        history_of(complete(1, gain=-0.5, ratio=1.5), complete(2, gain=0.5, ratio=0.9)),
    ],
    ids=["no trial", "all failed", "front of one"],
)
def test_poor_studies_are_drawn_without_errors(visit: Callable[..., Visit], tmp_path: Path, history: History) -> None:
    page = visit(write_report(ReportData(facts=make_facts(), history=history), tmp_path), NARROW).page
    assert page.locator("#table tbody tr").count() == max(1, len(history.trials))
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
