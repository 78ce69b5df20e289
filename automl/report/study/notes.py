"""What must be said before the rest of the page is believed; nothing where all is as it should be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from automl.report.common.formats import counted, duration, is_number, listed
from automl.report.study.derived import View
from automl.report.study.search_figures import last_quarter
from automl.stats import pareto
from automl.stats.verdicts import LEVEL
from automl.strategies.fidelity import fidelities, next_promoted
from automl.strategies.foretold import RECENT, track_record, trusted
from automl.study.history import History, Origin, State, Trial
from automl.study.parts import is_parked, is_pilot, parted
from automl.study.results import Correction, Detectable, Family, TaskGain, Unfit
from predictors.evaluate import Ranked, pooled_tau

STILL_GROWING = 0.1  # of the hypervolume in the last quarter of the core time
MANY_FAILED = 0.25
ENOUGH = 20  # trials, before a share of them says something


def search_notes(view: View) -> tuple[str, ...]:
    """On the budget, early stopping, failures and finals."""
    said = (
        worthless_words(view.history.baseline.ne),
        _budget(view),
        _growth(view),
        _fidelity(view),
        _stopped_too_soon(view),
        _failures(view),
        _untried(view),
        _wide(view),
    )
    return tuple(note for note in said if note)


def predictor_notes(history: History) -> tuple[str, ...]:
    """Where the search went on without its predictor, since that ranked no better than chance."""
    unused = _rounds_without(history)
    notes = []
    if unused:
        batches = f"{'batch' if len(unused) == 1 else 'batches'} {listed(map(str, unused))}"
        notes.append(
            f"The predictor was not used for {batches}: its forecasts of the trials before had ranked no better than "
            f"chance ({_record(_known_before(history, unused[-1]))}). Mutations and random candidates stood in."
        )
    if not trusted(history):
        notes.append(
            f"The predictor's last forecasts ranked no better than chance ({_record(history)}): a longer search would "
            "not use it before it ranks better."
        )
    return tuple(notes)


def worthless_words(ne: float) -> str | None:
    """What a gain is worth where the baseline knows less than the base rate; None where it knows more."""
    if ne < 1:
        return None
    return f"The baseline's NE is {ne:.3f}: worse than the base rate, which has 1. A gain over it says little."


def wide_words(half_width_pct: float, margin_pct: float, seeds_wanted: int | None) -> str | None:
    """What to do where the finals' intervals are wider than the margin; None where they are not."""
    if not half_width_pct > margin_pct:
        return None
    wide = f"The finals' intervals reach ±{half_width_pct:.2f}%, more than the margin of {margin_pct:g}%"
    if seeds_wanted is None:
        return f"{wide}. No number of seeds would narrow them enough: test on more days, or on more users."
    return f"{wide}: about {seeds_wanted} seeds would narrow them (--seeds {seeds_wanted})."


def family_words(family: Family | None) -> str | None:
    """At what level a study claims that is one of several; None where it stands alone."""
    if family is None:
        return None
    ledger = f" Its ledger: {family.file}." if family.file else ""
    return (
        f"Study {family.place} of the family {family.name}: a pick is called better only where its p is below "
        f"{family.level:.2g}, so that the chance that any study of the family calls a model better that is not stays "
        f"below {LEVEL:g}, however many follow.{ledger}"
    )


def tested_words(tested: Correction | None) -> str | None:
    """Over what p is corrected, where the test window was asked of other models before; None where it was not."""
    if tested is None or not tested.before:
        return None
    return f"Tested before: {counted(tested.before, 'other model')}; the correction is over {tested.models}."


def detectable_words(found: Detectable) -> str | None:
    """The smallest gain that the finals can show, and what was expected of them; None where no pick was judged."""
    if not is_number(found.found):
        return None
    planned = f" (planned: {found.planned:.2f}%)" if is_number(found.planned) else ""
    return f"An NE gain of {found.found:.2f}% or more can be told from chance in these finals{planned}."


def task_words(gain: TaskGain) -> str:
    """What a pick does to another label than the objective's: ctr +0.10% [-0.02, +0.22]."""
    lost = f", worse (p {gain.p_corrected:.2g})" if gain.lost else ""
    return f"{gain.task} {gain.ne_gain_pct:+.2f}% [{gain.ci_low_pct:+.2f}, {gain.ci_high_pct:+.2f}]{lost}"


def unfit_words(unfit: Unfit) -> str:
    """What became of a pick that must not be shipped: diverged on order 2 (NE rose to 3.1 after 512 rows)."""
    said = "diverged" if unfit.kind == "diverged" else f"failed ({unfit.kind})"
    return f"{said} on order {unfit.order}: {unfit.reason}"


# ---------------------------------------------------------------------- predictor


def _rounds_without(history: History) -> list[int]:
    """Rounds with forecasts but without the controller that needs them, proposed while they were not to be trusted."""
    rounds: dict[int, list[Trial]] = {}
    for trial in history.trials:
        rounds.setdefault(trial.round, []).append(trial)
    return [
        number
        for number, trials in sorted(rounds.items())
        if any(t.forecast is not None for t in trials)
        and all(t.origin is not Origin.CONTROLLER for t in trials)
        and not trusted(_known_before(history, number))
    ]


def _known_before(history: History, round_: int) -> History:
    """About what a round was proposed from: a batch is ordered when the last trials of those before it start."""
    before = [t for t in history.trials if t.round < round_]
    ordered = max((t.started_at for t in before if t.started_at is not None), default=math.inf)
    known = tuple(t for t in before if t.ended_at is None or t.ended_at <= ordered)
    return replace(history, trials=known)


def _record(history: History) -> str:
    recent: list[Ranked] = track_record(history)[-RECENT:]
    return f"Kendall's tau {pooled_tau(recent):.2f} on {counted(sum(r.count for r in recent), 'trial')}"


# ---------------------------------------------------------------------- the search


def _budget(view: View) -> str | None:
    run, ended = view.data.facts.run, sum(trial.ended for trial in view.history.trials)
    wanted = run.trials_wanted
    if not wanted or ended >= wanted:
        return None
    if run.exhausted:
        return f"The space holds only {counted(ended, 'different model')} within the study's limits: all were tried."
    if run.out_of_time and run.time_budget is not None:
        return f"The time budget of {duration(run.time_budget)} ended the search after {ended} of {wanted} trials."
    return f"{ended} of {wanted} trials have ended; the same command goes on."


def _growth(view: View) -> str | None:
    won = last_quarter(view)
    ended = sum(trial.ended for trial in view.history.trials)
    if view.data.facts.run.exhausted or ended < ENOUGH or won is None or won < STILL_GROWING:
        return None
    return (
        f"The front was still growing: {100 * won:.0f}% of its hypervolume came in the last quarter of the core time. "
        "More trials are likely to pay; the same command with a larger --trials goes on."
    )


def _fidelity(view: View) -> str | None:
    """On which part of the rows the search has tried its candidates, and how parts ranked them."""
    pilots = sum(is_pilot(trial) for trial in view.history.trials)
    if not pilots:
        return None
    told = fidelities(view.history)
    ranked = [
        f"{one.agreement.tau:.2f} [{one.agreement.low:.2f}, {one.agreement.high:.2f}] for one row in {one.every}"
        for one in told
    ]
    tried = [
        f"{counted(one.trials, 'candidate')} on one row in {one.every} first, {one.promoted} of them on all then"
        for one in parted(view.history.trials)
    ]
    if tried:
        after = f" After them were trained: {listed(tried)}."
    else:
        after = " No part ranked well enough: all rows were used." if ranked else ""
    if next_promoted(view.history, frozenset(), at_the_end=True) is not None:
        after += " Not all are promoted yet that may add to the front: the same command goes on with them."
    return (
        f"{counted(pilots, 'pilot')} were trained on parts of the rows and on all of them. How parts ranked what was "
        f"trained on all (Kendall's tau, 95%): {listed(ranked) if ranked else 'too few to tell'}.{after}"
    )


def _stopped_too_soon(view: View) -> str | None:
    stopped = [p for p in view.points if p.trial.state is State.STOPPED and view.history.within_limits(p.trial)]
    stopped = [p for p in stopped if not is_parked(p.trial)]  # the best of them are promoted
    if not stopped:
        return None
    front = [p for p in view.points if p.on_front]
    known = pareto.objectives(np.array([p.gain_pct for p in front]), np.array([p.qps_ratio for p in front]))
    extrapolated = pareto.objectives(np.array([p.gain_pct for p in stopped]), np.array([p.qps_ratio for p in stopped]))
    worth = pareto.improvements(extrapolated, known)
    lost = [p.trial for p, more in zip(stopped, worth, strict=True) if more > 0]
    if not lost:
        return None
    which = listed([f"#{trial.number}" for trial in lost])
    return (
        f"{counted(len(lost), 'trial')} stopped early ({which}) would stand on the front if the extrapolated NE held. "
        f"`stop_early: false` would have trained {'it' if len(lost) == 1 else 'them'} to the end."
    )


def _failures(view: View) -> str | None:
    failed, ended = view.state_counts[State.FAILED], sum(trial.ended for trial in view.history.trials)
    if failed < 4 or failed < MANY_FAILED * ended:
        return None
    kind, reasons = view.failure_counts[0]
    most = sum(len(numbers) for _, numbers in reasons)
    return f"{failed} of {counted(ended, 'trial')} failed, {most} of them for one kind of reason: {kind}."


# ---------------------------------------------------------------------- finals


def _untried(view: View) -> str | None:
    if view.finals is None or view.data.picks is None:
        return None
    tried = {pick.trial for pick in view.finals.picks}
    new = [f"#{point.trial.number} ({role})" for role, point in view.search_picks if point.trial.number not in tried]
    if not new:
        return None
    return f"The search's picks hold what the finals have not tried: {listed(new)}. Run `automl finals` again."


def _wide(view: View) -> str | None:
    finals = view.finals
    return None if finals is None else wide_words(finals.half_width_pct, finals.margin_pct, finals.seeds_wanted)
