"""The same CTR trials by `controller`, `random` and `tpe`, with the study's seed: three fronts in one picture.

    python -m experiments.strategies [--trials 100] [--quick]

One run each: a picture of one race, not a proof that one strategy wins.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from playwright.sync_api import sync_playwright

import automl
from automl.cli.common import terminal
from automl.stats import pareto
from experiments.kuairand import write_study
from experiments.record import RESULTS, write_result

STRATEGIES = ("controller", "random", "tpe")
COLOURS = {"controller": "#2563eb", "random": "#9ca3af", "tpe": "#d97706"}
MARKS = (20, 50, 100)


def main() -> None:
    """Run or go on with the three studies; write picture and result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="12 trials each")
    arguments = parser.parse_args()
    trials = 12 if arguments.quick else arguments.trials
    figures = {}
    for strategy in STRATEGIES:
        name = "kuairand-ctr" if strategy == "controller" else f"kuairand-ctr-{strategy}"
        file = write_study(name, strategy=strategy)
        study = automl.search(file, trials=trials, console=terminal())
        figures[strategy] = race(study)
        print(strategy, figures[strategy]["hypervolume"], figures[strategy]["counts"])
    draw(figures, RESULTS / "strategies.png")
    write_result(
        "strategies",
        settings={"trials": trials, "runs": 1},
        figures=figures,
        headline={f"hypervolume_{name}": round(found["hypervolume"][-1][1], 4) for name, found in figures.items()},
    )


def race(study: automl.StudyHandle) -> dict[str, object]:
    """Front and hypervolume of a study; only trials trained to the end count."""
    frame = study.trials_dataframe()
    frame = frame[frame["trial"] > 0].sort_values("trial")
    done = frame["state"] == "complete"
    points = pareto.objectives(frame["ne_gain_pct"].to_numpy(), frame["qps_ratio"].to_numpy())
    volumes = [
        (n, float(pareto.hypervolume(points[:n][done.to_numpy()[:n]], pareto.REFERENCE)))
        for n in sorted({*[m for m in MARKS if m < len(frame)], len(frame)})
    ]
    front = study.pareto()
    return {
        "hypervolume": volumes,
        "front": front[["trial", "ne_gain_pct", "qps_ratio", "origin"]].values.tolist(),
        "counts": frame["state"].value_counts().to_dict(),
        "best_ne_gain_pct": float(np.nanmin(frame.loc[done, "ne_gain_pct"])),
    }


def draw(figures: dict[str, dict[str, object]], path: Path) -> None:
    """The fronts as a PNG; up is better and right is faster. Rendered by the system's Chromium."""
    figure = go.Figure(layout={"template": "plotly_white", "width": 900, "height": 560})
    for name, found in figures.items():
        front = sorted(found["front"], key=lambda row: row[2])  # type: ignore[call-overload]
        volume = found["hypervolume"][-1][1]  # type: ignore[index]
        figure.add_scatter(
            x=[row[2] for row in front],
            y=[row[1] for row in front],
            name=f"{name}, hypervolume {volume:.2f}",
            mode="lines+markers",
            line={"shape": "vh", "color": COLOURS[name]},
        )
    figure.add_scatter(
        x=[1], y=[0], name="baseline", mode="markers", marker={"symbol": "cross", "color": "black", "size": 10}
    )
    figure.update_xaxes(type="log", title="serving QPS against the baseline (right is faster)", dtick="D2")
    figure.update_yaxes(title="NE gain against the baseline, % (up is better)", range=[1.05, -0.35])
    figure.update_layout(
        legend={"x": 0.02, "y": 0.02, "bgcolor": "rgba(255,255,255,.8)"},
        title="Fronts of one run each, validation window",
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 900, "height": 560})
        page.set_content(figure.to_html(include_plotlyjs=True, config={"displayModeBar": False}))
        page.wait_for_selector(".main-svg")
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main()
