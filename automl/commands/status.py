"""A study on one screen."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from automl.report.common.formats import counted, duration
from automl.report.common.words import changes, scale_words
from automl.study.config import DEAF
from automl.study.file import part
from automl.study.history import Baseline, MeanGain, Origin, State, Trial
from automl.study.parts import is_pilot, parted, states
from automl.study.precedents import trials_told
from automl.study.record import Study
from automl.study.saved import saved_share, saved_words
from automl.study.scale_up import LEAST_CORE_HOURS, Reached
from automl.study.shared import study_file_of
from automl.study.sqlite import reading
from automl.study.storage import limits_of, load_started
from automl.study.tuning import Tuning
from search_spaces.source import read_text


def read_screen(folder: Path) -> str:
    """The screen of the study in a folder; neither models nor Ray are loaded.

    Raises:
        InputError: where the folder holds no study that was started, or none that can be read.
    """
    folder = folder.absolute()
    stored, space, facts = load_started(folder, only_read=True)
    with reading(folder):
        study = Study(stored, space, limits_of(facts))
    return screen(folder, study)


def screen(folder: Path, study: Study) -> str:
    """Progress, best so far, failures by reason."""
    baseline = study.baseline()
    lines = [f"study {study_file_of(study.facts, folder)}", f"folder {folder}"]
    facts = study.facts
    if facts.tune_baseline and facts.tuned is None:
        done = f"{len(study.baselines.tunings)} of at most {facts.tune_baseline} trainings"
        return "\n".join([*lines, f"baseline: its training is being tuned, {done}; no trial yet"])
    lines += [*_warm(study), *_scaled(study), *_tuning(study)]
    if baseline is None:
        done = f"{len(study.baselines.repeats)} of {facts.baseline_seeds} seeds trained"
        return "\n".join([*lines, f"baseline: {done}; no trial yet"])
    lines += [*_baseline(baseline), *_trials(study, baseline), *_scale_up(study), *_failures(study.trials)]
    return "\n".join(lines)


def summary(study: Study) -> str:
    """How the search ended, in a few lines."""
    baseline = study.baseline()
    if baseline is None:
        return ""
    before, found = [*_scaled(study), *_tuning(study)], [*_trials(study, baseline), *_scale_up(study)]
    return "\n".join([*before, *_baseline(baseline), *found])


def tuning_line(found: Tuning) -> str:
    """What the tuning of the baseline came to."""
    if not found.changed:
        return f"baseline   stays as brought: of {found.trainings} trainings none beats it beyond noise"
    before, after = (sum(ne) / len(ne) for ne in (found.brought_ne, found.tuned_ne))
    words = ", ".join(changes(found.tuned, found.brought))
    return f"baseline   as brought NE {before:.4f}, tuned NE {after:.4f} ({found.gain_pct:+.2f}%): {words}"


def _tuning(study: Study) -> list[str]:
    found = study.tuning()
    return [] if found is None else [tuning_line(found)]


def _warm(study: Study) -> list[str]:
    """Which studies it starts warm from, and how many models of theirs it has tried; nothing where they go unheard."""
    facts = study.facts
    if not facts.warm_start or part(read_text(facts.config_text, "study.yaml"), "search", "strategy") in DEAF:
        return []
    told = ", ".join(f"{counted(n, 'trial')} of {name}" for name, n in trials_told(facts.warm_start).items())
    tried = sum(trial.origin is Origin.PRECEDENT for trial in study.trials)
    return [f"warm start {told}; {counted(tried, 'model')} of theirs tried"]


def _scaled(study: Study) -> list[str]:
    """At which FLOPs it searches, and what its baseline was widened to."""
    scaled = study.facts.scaled
    return [] if scaled is None else [f"scale      {scale_words(scaled)}"]


def _scale_up(study: Study) -> list[str]:
    """NE at equal cost, cost at equal NE, and what they took."""
    found = study.scale_up()
    if found is None:
        return []
    lines = ["as brought not trained yet"]
    if math.isfinite(found.brought_ne):
        capacity = f"widening it alone {found.capacity_gain_pct:+.2f}% ± {found.capacity_error_pct:.2f}%"
        speed = f"QPS x{found.brought_qps_ratio:.2f}"
        lines = [f"as brought NE {found.brought_ne:.4f} ± {found.brought_ne_std:.4f}   {speed}   {capacity}"]
    cost, ne = found.equal_cost, found.equal_ne
    at_cost = "none is as fast as the widened baseline"
    if cost is not None:
        at_cost = f"#{cost.trial}: NE {_gain(_mean_gain(cost))} at QPS x{cost.qps_ratio:.2f}"
    at_ne = "none is as fast and no worse than the widened baseline"
    if ne is not None:
        at_ne = f"#{ne.trial}: cost x{1 / ne.qps_ratio:.2f} (QPS x{ne.qps_ratio:.2f}) at NE {_gain(_mean_gain(ne))}"
    per_hour = f"{found.core_hours:.3g} inside trials and repeats"
    if found.core_hours >= LEAST_CORE_HOURS:
        per_hour += f", {found.gain_per_core_hour_pct:+.2f}% of NE at equal cost for each"
    return [*lines, f"equal cost {at_cost}", f"equal NE   {at_ne}", f"core-hours {per_hour}"]


def _mean_gain(reached: Reached) -> MeanGain:
    return MeanGain(reached.gain_pct, reached.trainings, reached.error_pct)


def _baseline(baseline: Baseline) -> list[str]:
    lines = [
        f"baseline   NE {baseline.ne:.4f} ± {baseline.ne_std:.4f} ({len(baseline.trials)} orders)   "
        f"QPS {_count(baseline.qps)}   train QPS {_count(baseline.train_qps)}"
    ]
    if baseline.tasks:
        lines.append(
            f"           NE of {', '.join(f'{task} {baseline.ne_on(None, task):.4f}' for task in baseline.tasks)}"
        )
    if baseline.ne >= 1:
        lines.append("           worse than the base rate, whose NE is 1: a gain over it says little")
    return lines


def _trials(study: Study, baseline: Baseline) -> list[str]:
    names = {State.RUNNING.value: "running or queued"}
    words = ", ".join(f"{count} {names.get(name, name)}" for name, count in states(study.trials).items()) or "none yet"
    lines = [f"trials     {words}{_saved(study.trials, baseline)}", *_out_of_time(study)]
    lines += [*_fidelity(study.trials), *_repeats(study.trials)]
    history = study.history()
    done = [
        (history.gain(t), t.measurement.speed.qps_ratio, t)
        for t in history.trials
        if t.measurement and history.eligible(t)
    ]
    if done:
        gain, ratio, trial = min(done, key=lambda d: d[0].pct + d[0].error_pct)
        lines.append(f"best NE    #{trial.number}: {_gain(gain)} at QPS x{ratio:.2f}{_of_tasks(baseline, trial)}")
    elif count := len(history.of_state(State.COMPLETE)):
        must = "keeps every limit of the study" if history.limits else "is fit to ship"
        lines.append(f"best       none: of {count} trained to the end none {must}")
    equal = [d for d in done if d[0].pct <= 0]
    if equal:
        gain, ratio, trial = max(equal, key=lambda d: d[1])
        words = f"at NE {_gain(gain)}, no worse than the baseline"
        lines.append(f"best QPS   #{trial.number}: x{ratio:.2f} {words}{_of_tasks(baseline, trial)}")
    return lines


def _out_of_time(study: Study) -> list[str]:
    """Whether the last start was ended by its time budget."""
    facts = study.facts
    if not facts.out_of_time or facts.time_budget is None:
        return []
    ended = f"{sum(trial.ended for trial in study.trials)} of {facts.trials_wanted} trials have ended"
    return [f"budget     of {duration(facts.time_budget)} ended the search: {ended}; the same command goes on"]


def _saved(trials: tuple[Trial, ...], baseline: Baseline) -> str:
    """What early stops have saved, and trainings on parts of the rows."""
    if not any(trial.state is State.STOPPED for trial in trials):
        return ""
    what = "early stops"
    if any(trial.measurement and trial.measurement.parts for trial in trials):
        what = "parts of the rows and early stops"
    return f"; {what} {saved_words(saved_share(trials, baseline))}"


def _fidelity(trials: tuple[Trial, ...]) -> list[str]:
    """On which parts of the rows trials were trained first, and how many of them on all rows then."""
    pilots = sum(is_pilot(trial) for trial in trials)
    if not pilots:
        return []
    parts = [
        f"{one.trials} on one row in {one.every} first: {one.promoted} of them on all then, "
        f"{one.trials - one.promoted} waiting"
        for one in parted(trials)
    ]
    if not parts and pilots < sum(trial.state is State.COMPLETE for trial in trials):
        parts = ["no part ranks them as all rows do: all rows are used"]
    elif not parts:
        parts = ["too few to take a part"]
    return [f"fidelity   {'; '.join([f'{pilots} on parts of the rows and on all', *parts])}"]


def _of_tasks(baseline: Baseline, trial: Trial) -> str:
    """The gain of each of several labels."""
    told = [f"{task} {baseline.mean_gain_pct(trial, task):+.2f}%" for task in baseline.tasks]
    return f" ({', '.join(told)})" if told else ""


def _gain(gain: MeanGain) -> str:
    """Of a trial that was trained again with its standard error."""
    if gain.trainings < 2:
        return f"{gain.pct:+.2f}%"
    return f"{gain.pct:+.2f}% ± {gain.error_pct:.2f}% ({gain.trainings} trainings)"


def _repeats(trials: tuple[Trial, ...]) -> list[str]:
    """Trainings beside the candidates' first, and what they told of those that may not ship."""
    count = sum(len(trial.repeats) for trial in trials)
    unfit = [f"; #{t.number} is unfit ({t.unfit.kind} on another order)" for t in trials if t.unfit is not None]
    several = counted(sum(bool(trial.repeats) for trial in trials), "trial")
    return [f"repeats    {counted(count, 'further training')} of {several}{''.join(unfit)}"] if count else []


def _failures(trials: tuple[Trial, ...]) -> list[str]:
    """By kind, with the reason that was given most often."""
    lines = []
    kinds = Counter(trial.failure.kind for trial in trials if trial.failure)
    for kind, count in kinds.most_common():
        reasons = Counter(t.failure.reason for t in trials if t.failure and t.failure.kind == kind)
        reason, often = reasons.most_common(1)[0]
        lines.append(f"failed     {count} x {kind}{'' if often == count else f' ({often} x this)'}: {reason}")
    return lines


def _count(value: float) -> str:
    return f"{value / 1000:.0f}k" if value >= 1000 else f"{value:.0f}"
