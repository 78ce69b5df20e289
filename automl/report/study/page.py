"""The page of a search: report.html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from automl.report.common import formats
from automl.report.common.plot import Nothing
from automl.report.common.shell import Chart, render_page, script_json, write_page
from automl.report.common.words import architecture, changes, difference, training
from automl.report.study import figures, search_figures, trust_figures
from automl.report.study.data import MOST_FOR_IMPORTANCE, ReportData
from automl.report.study.days import day_table
from automl.report.study.derived import SECONDS_PER_HOUR, View, trial_seconds
from automl.report.study.front_figure import front
from automl.report.study.notes import detectable_words, search_notes
from automl.report.study.parallel import parallel
from automl.report.study.scaled import scale_part
from automl.report.study.tables import write_tables
from automl.report.study.tuned import parts_words, tuned_baseline
from automl.report.study.verdict import answer
from automl.study.history import State, Trial
from automl.study.parts import states
from automl.study.saved import saved_share, saved_words
from automl.study.scale_up import LEAST_CORE_HOURS
from search_spaces.model import ModelSpec

SECTIONS = (
    ("ship", "Ship"),
    ("front", "Front"),
    ("search", "Search"),
    ("knobs", "Knobs"),
    ("trust", "Trust"),
    ("trials", "Trials"),
    ("how", "How"),
)


def write_report(data: ReportData, folder: Path, out: Path | None = None) -> Path:
    """Write report.html, pareto.csv and trials.parquet of the study in `folder` there, or into another folder, and
    return the page's path.

    The page is about 5 MB, nearly all of it Plotly's script: it needs no network and no other file.
    """
    view, out = View(data), out or folder
    out.mkdir(parents=True, exist_ok=True)
    page = write_page(out / "report.html", render(view, folder))
    write_tables(view, out)
    return page


def render(view: View, out_dir: Path) -> str:
    """The whole page as text."""
    charts, knobs = _charts(view), _importances(view)
    return render_page(
        "report.html.j2",
        charts,
        {
            "name": view.data.facts.name,
            "sections": SECTIONS,
            "answer": answer(view, out_dir),
            "notes": [*view.data.notes, *search_notes(view)],
            "days": day_table(view),
            "detectable": None if view.finals is None else detectable_words(view.finals.detectable_pct),
            "facts": view.data.facts,
            "failures": view.failure_counts,
            "importances": knobs,
            "tiles": _tiles(view),
            "trials_json": script_json(_records(view)),
            "parts": parts_words(view.finals, view.data.facts.run),
            "scale": scale_part(view.data.scale_up, view.data.brought, view.data.facts.run.tuned is not None),
            "tuned": tuned_baseline(view.data.tuning),
            "view": view,
            "windows": _windows(view),
        },
        more=knobs,
        scripts=("page.js",),
    )


def _charts(view: View) -> dict[str, Chart]:
    return {
        "front": front(view),
        "finals": figures.finals(view),
        "best_gain": search_figures.best_gain(view),
        "best_ratio": search_figures.best_ratio(view),
        "hypervolume": search_figures.hypervolume(view),
        "per_core_hour": search_figures.gain_per_core_hour(view),
        "parallel": parallel(view),
        "curves": figures.curves(view),
        "origins": trust_figures.origins(view),
        "rankings": trust_figures.rankings(view),
        "failures": trust_figures.failures(view),
    }


def _importances(view: View) -> list[Chart]:
    if not view.data.importances:
        return [Nothing("What moves the objectives", "Too few complete trials to tell the knobs apart.")]
    complete = view.state_counts[State.COMPLETE]
    rest = ""
    if complete > MOST_FOR_IMPORTANCE:
        rest = f" From {MOST_FOR_IMPORTANCE} of {complete:,} complete trials, spread evenly over the search."
    return [figures.importances(objective, shares, rest) for objective, shares in view.data.importances.items()]


def _tiles(view: View) -> list[tuple[str, str, str]]:
    """(label, number, small print) of the search as a whole."""
    facts, counts, progress = view.data.facts, view.state_counts, view.progress
    found = ", ".join(f"{count} {name}" for name, count in states(view.history.trials).items()) or "none yet"
    core_hours = facts.core_seconds / SECONDS_PER_HOUR
    held = facts.run.workers * facts.run.wall_seconds
    busy = formats.share(facts.core_seconds / held) if held > 0 else formats.ABSENT
    best = progress.best_gain_at_speed_pct[-1] if len(progress.best_gain_at_speed_pct) else float("nan")
    rate = best / core_hours if core_hours > 0 and formats.is_number(best) and best < 0 else None
    volume = progress.hypervolume[-1] if len(progress.hypervolume) else 0.0
    per_hour = f"{formats.percent(rate)} per core-hour"
    if core_hours < LEAST_CORE_HOURS or view.data.scale_up is not None:  # that has a rate of its own, without baselines
        per_hour = "at the baseline's QPS or more"
    last = formats.share(search_figures.last_quarter(view))
    core = formats.duration(facts.core_seconds)
    saved = saved_share(view.history.trials, view.history.baseline)
    stops = f"; {saved_words(saved)}" if counts[State.STOPPED] else ""
    return [
        ("trials", f"{len(view.history.trials):,}", found),
        ("front", formats.counted(len(view.front), "model"), "not beaten in both NE and QPS"),
        ("wall clock", formats.duration(facts.run.wall_seconds), formats.counted(facts.run.workers, "worker")),
        ("core time of trainings", core, f"{busy} of workers × wall clock{stops}"),
        ("best NE gain at speed", formats.percent(best), per_hour),
        ("hypervolume", f"{volume:.3g}", f"{last} of it in the last quarter of the core time"),
    ]


def _windows(view: View) -> list[tuple[str, str, str]]:
    """(window, days, Bayes NE) as far as they are known."""
    facts = view.data.facts
    names = [*facts.split_days, *(name for name in facts.bayes_ne if name not in facts.split_days)]
    return [
        (name, facts.split_days.get(name, formats.ABSENT), formats.decimal(facts.bayes_ne.get(name))) for name in names
    ]


def _records(view: View) -> list[dict[str, object]]:
    """What the script knows of each trial: table, tooltip and detail."""
    roles = {point.trial.number: role for role, point in view.picks}
    on_front = {point.trial.number for point in view.front}
    baseline = view.history.baseline
    first = {
        "id": "baseline",
        "state": "baseline",
        "origin": "baseline",
        "ne": baseline.ne,
        "gain": 0.0,
        "ratio": 1.0,
        "noise": view.noise_pct,
        "seeds": len(baseline.trials),
        **({"tasks": [[task, baseline.ne_on(None, task), 0.0] for task in baseline.tasks]} if baseline.tasks else {}),
        **_model_record(view, baseline.candidate.model),
        "changes": [],
        "front": False,
        "role": "",
    }
    return [first] + [_record(view, t, roles.get(t.number, ""), t.number in on_front) for t in view.history.trials]


def _record(view: View, trial: Trial, role: str, on_front: bool) -> dict[str, object]:
    m = trial.measurement
    measured: dict[str, object] = {}
    if m is not None:
        measured = {
            "ne": m.ne,
            "gain": view.gain_pct(trial),
            "trainings": len(trial.trainings),
            "error": view.error_pct(trial),
            "ratio": m.speed.qps_ratio,
            "low": m.speed.qps_ratio_low,
            "high": m.speed.qps_ratio_high,
            "auc": m.auc,
            "calibration": m.calibration,
            "trainQps": m.speed.train_qps,
            "params": m.params,
            "flops": m.flops,
            **({"tasks": _tasks(view, trial, m.nes)} if m.nes else {}),
        }
    forecast = None if trial.forecast is None else view.history.baseline.gain_pct(trial.forecast.ne)
    failed = trial.failure or trial.unfit
    failure = {"kind": failed.kind, "reason": failed.reason} if failed else {}
    return {
        "id": trial.number,
        "state": "unfit" if trial.unfit else trial.state.value,
        "origin": trial.origin.value,
        "round": trial.round,
        "role": role,
        "front": on_front,
        "seconds": trial_seconds(trial),
        "forecast": forecast,
        **measured,
        **failure,
        **_model_record(view, trial.candidate.model),
    }


def _tasks(view: View, trial: Trial, nes: Mapping[str, float]) -> list[list[object]]:
    """Of each of several labels its name, its NE and the gain."""
    return [[task, ne, view.history.baseline.mean_gain_pct(trial, task)] for task, ne in nes.items()]


def _model_record(view: View, model: ModelSpec) -> dict[str, object]:
    baseline = view.history.baseline.candidate.model
    return {
        "words": architecture(model),
        "training": training(model),
        "changes": changes(model, baseline),
        "diff": [mark + line for mark, line in difference(model, baseline)],
    }
