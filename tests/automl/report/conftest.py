"""Pages that several tests look at, and the browser that shows them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.report.study.page import write_report
from tests.worlds.report_studies import rich_data

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def proven_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rich study with finals of all four verdicts."""
    return write_report(rich_data(finals=True), tmp_path_factory.mktemp("proven"))


@pytest.fixture(scope="session")
def searched_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rich study before its finals."""
    return write_report(rich_data(), tmp_path_factory.mktemp("searched"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    api = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (pip install -e '.[dev]')")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("browser tests need Chromium: no `chromium` is on the path (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_ARGUMENTS))
        yield browser
        browser.close()
