"""Which arm auto served in each window of a student."""

from __future__ import annotations

from automl.report.common.plot import Figure, Json, rule, safe
from automl.report.exfm.style import looks, swatch, window_axis
from automl.report.exfm.window_lines import LETTERS_UP_TO
from automl.study.exfm_figures import AUTO, NONE
from automl.study.exfm_results import ExfmResult, StudentResult


def served(result: ExfmResult, student: StudentResult) -> Figure | None:
    """Which arm auto served in each window, a row a seed; hatched where the teacher was not heard."""
    runs = student.runs.get(AUTO, ())
    if not runs:
        return None
    names = [window.name for window in result.windows]
    arms = tuple(dict.fromkeys([NONE, *(arm for run in runs for arm in run.train_seconds), *_served_arms(student)]))
    data = [_boxes(arm, [[c == arm for c in run.choices] for run in runs], names, len(names)) for arm in arms]
    muted = [list(run.muted) for run in runs]
    if any(any(row) for row in muted):
        data.append(_hatch(muted, names))
    axis = window_axis(names)
    layout: Json = {
        "barmode": "overlay",
        "xaxis": axis,
        "yaxis": {
            "tickvals": list(range(len(runs))),
            "ticktext": [f"seed {k}" for k in range(len(runs))],
            "range": [len(runs) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "hovermode": "closest",
    }
    first = next((k for k, window in enumerate(result.windows) if window.scored), 0)
    if first:
        layout["shapes"] = [{**rule("x", first - 0.5, "$muted", dash="dot", width=1.5), "layer": "above"}]
    legend = [(swatch("bar", arm), f"{arm[:1].upper()} {arm}") for arm in arms]
    legend += [("hatched", "teacher muted")] if any(any(row) for row in muted) else []
    legend += [("dotted", "scored from here on")] if first else []
    silent = any(any(row) for row in muted)
    never = " Hatched: it was learnt without hearing the teacher." if silent else " The teacher was never muted."
    return Figure(
        name=f"served-{student.name}",
        title="What auto served",
        caption="The arm that served each window, chosen from the windows before it; every arm is trained all the "
        f"while, until it is dropped.{never}",
        data=data,
        layout=layout,
        height=84 + 34 * len(runs),
        legend=tuple(legend),
    )


def _served_arms(student: StudentResult) -> list[str]:
    return [arm for run in student.runs.get(AUTO, ()) for arm in run.choices]


def _boxes(arm: str, rows: list[list[bool]], names: list[str], windows: int) -> Json:
    """One box for each window and seed that the arm served."""
    cells = [(k, seed) for seed, row in enumerate(rows) for k, here in enumerate(row) if here and k < windows]
    colour = looks([arm])[arm].colour
    return {
        "type": "bar",
        "name": arm,
        "x": [k for k, _ in cells],
        "y": [0.8] * len(cells),
        "base": [seed - 0.4 for _, seed in cells],
        "width": 0.94,
        "marker": {"color": colour, "line": {"width": 0}},
        "text": [arm[:1].upper() if windows <= LETTERS_UP_TO else "" for _ in cells],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "constraintext": "none",
        "insidetextfont": {"color": "$on-pick", "size": 11},
        "hovertext": [f"{safe(names[k])}, seed {seed}: {safe(arm)}" for k, seed in cells],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _hatch(muted: list[list[bool]], names: list[str]) -> Json:
    cells = [(k, seed) for seed, row in enumerate(muted) for k, here in enumerate(row) if here and k < len(names)]
    return {
        "type": "bar",
        "name": "muted",
        "x": [k for k, _ in cells],
        "y": [0.22] * len(cells),
        "base": [seed + 0.18 for _, seed in cells],
        "width": 0.94,
        "marker": {
            "color": "rgba(0,0,0,0)",
            "pattern": {"shape": "/", "fgcolor": "$surface", "bgcolor": "rgba(0,0,0,0)", "size": 6, "solidity": 0.45},
        },
        "hoverinfo": "skip",
    }
