"""One HTML file that opens offline: a template filled, Plotly's bundle, style and script inlined."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from automl.files.whole import whole_file
from automl.report.common import formats
from automl.report.common.plot import Figure, Nothing, plain

Chart = Figure | Nothing


def write_page(page: Path, text: str) -> Path:
    """Write the page whole or not at all."""
    with whole_file(page) as part:
        part.write_text(text, encoding="utf-8")
    return page


def render_page(
    template: str,
    charts: Mapping[str, Chart],
    facts: Mapping[str, object],
    *,
    more: Iterable[Chart] = (),
    scripts: Sequence[str] = (),
) -> str:
    """The whole page as text.

    Args:
        template: of the package's templates, one that extends base.html.j2.
        charts: what the template knows by name, in the order in which they are drawn.
        facts: what else it shows; `name` of the run and `sections` as (id, words) among them.
        more: further charts that `facts` hold.
        scripts: of the package's templates, beside those of every page.
    """
    known = {
        "plotly": get_plotlyjs(),
        "theme": _asset("theme.js"),
        "charts": _asset("charts.js"),
        "page": "\n".join(_asset(name) for name in (*scripts, "shell.js")),
    }
    environment = Environment(
        loader=PackageLoader("automl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = [chart.to_json() for chart in (*charts.values(), *more) if isinstance(chart, Figure)]
    return environment.get_template(template).render(
        bundle_mb=f"{len(known['plotly']) / 1e6:.1f}",
        charts=charts,
        f=formats,
        figures_json=script_json(drawn),
        is_figure=lambda chart: isinstance(chart, Figure),
        policy=_policy(known.values()),
        scripts={name: Markup(text) for name, text in known.items()},  # noqa: S704 our own files
        style=Markup(_asset("report.css")),  # noqa: S704
        **facts,
    )


def script_json(value: Sequence[Mapping[str, object]]) -> Markup:
    """JSON for a script element: no "<", so that no text in it can end the element."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)  # noqa: S704


def _policy(scripts: Iterable[str]) -> str:
    """Only our own scripts may run, and nothing may be fetched: a text that slipped through could do no harm."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"


def _asset(name: str) -> str:
    return (resources.files("automl.report") / "templates" / name).read_text(encoding="utf-8")
