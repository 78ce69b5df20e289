"""Intervals, models and what serves, in words."""

from __future__ import annotations

from automl.report.common import formats
from automl.report.common.words import architecture, training
from automl.study.exfm_figures import AUTO, RecipeGain
from automl.study.exfm_results import ExfmResult, StudentResult
from search_spaces.model import ModelSpec


def interval(gain: RecipeGain) -> str:
    """Both ends: −0.46% to −0.02%."""
    return f"{formats.percent(gain.low_pct)} to {formats.percent(gain.high_pct)}"


def model_words(model: ModelSpec | None) -> str:
    """Its architecture and training."""
    return f"{architecture(model)}; {training(model)}" if model is not None else formats.ABSENT


def students_words(result: ExfmResult) -> dict[str, str]:
    """Models in words, by the names of the students that have them."""
    names: dict[str, list[str]] = {}
    for student in result.students.values():
        names.setdefault(model_words(student.model), []).append(student.name)
    return {formats.listed(found): words for words, found in names.items()}


def serving(student: StudentResult) -> str:
    """What would serve after the last window; of auto the arms of its seeds."""
    if student.chosen is None:
        return formats.ABSENT
    runs = student.runs.get(student.chosen.name, ())
    arms = [run.serving for run in runs]
    if student.chosen.name != AUTO or not arms:
        return student.chosen.name
    each = {arm: arms.count(arm) for arm in dict.fromkeys(arms)}
    if len(each) == 1:
        return f"auto: {arms[0]}"
    return "auto: " + ", ".join(f"{arm} ({formats.counted(times, 'seed')})" for arm, times in each.items())
