"""The answer, first on the page: what to ship and why, in plain words."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automl.report.common.formats import counted, is_number, p_value, percent, ratio
from automl.report.common.words import architecture, changes, difference, short_difference, to_yaml, training
from automl.report.study.derived import Point, View
from automl.report.study.front_figure import ROLE_LETTERS
from automl.report.study.notes import family_words, tested_words, unfit_words
from automl.stats.verdicts import FASTER, Verdict
from automl.study.history import State, Trial
from automl.study.parts import states
from automl.study.results import Family, FinalPick, Finals, TaskGain

ROLE_MEANING = {
    "accurate": "lowest NE at the baseline's speed or faster",
    "balanced": "adds most to the front beside the others",
    "fast": "highest QPS at the baseline's NE or better",
    "unlimited": "lowest NE whatever its speed",
}
# verdict -> style class of the badge
BADGES = {
    Verdict.BETTER: "good",
    Verdict.FASTER: "good",
    Verdict.NO_BETTER: "plain",
    Verdict.WORSE: "bad",
    Verdict.UNFIT: "bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One pick as the page shows it."""

    role: str
    letter: str
    meaning: str
    leads: bool  # the one that the headline speaks of
    trial: int
    badge: str
    badge_class: str
    why: str
    figures: tuple[tuple[str, str, str], ...]  # (label, number, small print)
    architecture: str
    training: str
    changes: tuple[str, ...]
    difference: tuple[tuple[str, str], ...]
    yaml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Headline, the sentence below it, the cards, and the next command if there is one."""

    headline: str
    lead: str
    cards: tuple[Card, ...]
    command: str = ""
    tone: str = "plain"  # good, plain or bad


def answer(view: View, out_dir: Path) -> Answer:
    """What to ship: from finals if there are any, else from the search with the warning that it is not proven."""
    if view.finals is not None and view.finals.picks:
        return _after_finals(view, view.finals.picks)
    if not any(view.history.eligible(trial) for trial in view.history.trials):
        return _nothing(view)
    return _before_finals(view, f"automl finals {shlex.quote(str(out_dir))}")


def _nothing(view: View) -> Answer:
    trials = view.history.trials
    counts = view.state_counts
    if not trials:
        return Answer(headline="Nothing to ship yet: no trial has run.", lead="Only the baseline stands.", cards=())
    if counts[State.COMPLETE]:
        lead = f"{counted(counts[State.COMPLETE], 'trial')} ended complete, but none keeps the study's limits."
        return Answer(headline="Nothing to ship: no trial keeps the limits.", lead=lead, cards=(), tone="bad")
    parts = [f"{count} {name}" for name, count in states(trials).items()]
    lead = f"Of {counted(len(trials), 'trial')}: {', '.join(parts)}."
    if view.failure_counts:
        kind, reasons = view.failure_counts[0]
        lead += f" Most often: {kind} ({_clipped(reasons[0][0])})."
    return Answer(headline="Nothing to ship: no trial was trained to the end.", lead=lead, cards=(), tone="bad")


def _clipped(text: str, limit: int = 140) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _before_finals(view: View, command: str) -> Answer:
    picks = view.search_picks
    promising = [(role, point) for role, point in picks if _promising(view, point)]
    best = next((point for _, point in promising if point.qps_ratio >= 1.0), promising[0][1] if promising else None)
    cards = tuple(_search_card(view, role, point, point is best) for role, point in picks)
    if best is None:
        margin = percent(view.data.facts.margin_pct)
        lead = (
            f"No trial is expected to beat its NE, nor is one faster with NE no worse than {margin}. Keep the baseline."
        )
        return Answer(headline="No better than the baseline.", lead=lead, cards=cards)
    spread = f"The baseline alone moves by ±{view.noise_pct:.2f}% from seed to seed. " if view.noise_pct > 0 else ""
    lead = (
        f"These are single runs, the best of many: part of the gain is luck. {spread}Before shipping, let the finals "
        "retrain them with several seeds and score them on days the search never saw:"
    )
    if view.data.picks is None:
        lead = "Extremes of the observed front. " + lead
    gain = _expected(view, best)
    about = "about " if best.trial.number in view.data.expected else ""
    headline = f"Promising, not proven: #{best.trial.number}, {_said(gain, about)} at {ratio(best.qps_ratio)} the QPS."
    return Answer(headline=headline, lead=lead, command=command, cards=cards)


def _expected(view: View, point: Point) -> float:
    """The gain without the luck of its one run, where that is known."""
    return view.data.expected.get(point.trial.number, point.gain_pct)


def _promising(view: View, point: Point) -> bool:
    gain = _expected(view, point)
    return gain < 0 or (point.qps_ratio > FASTER and gain <= view.data.facts.margin_pct)


def _said(gain: float, about: str = "") -> str:
    """NE 0.21% better."""
    return f"NE {about}{abs(gain):.2f}% {'better' if gain <= 0 else 'worse'}"


def _runs(trial: Trial) -> str:
    """On how much a gain of the search rests."""
    return "one run" if len(trial.trainings) == 1 else f"{len(trial.trainings)} runs"


def _search_card(view: View, role: str, point: Point, leads: bool) -> Card:
    noise = view.noise_pct
    size = abs(point.gain_pct) / noise if noise > 0 else math.nan
    runs = _runs(point.trial)
    why = f"{_said(point.gain_pct)} than the baseline in {runs}"
    why += f", {size:.1f} times the spread of its seeds." if is_number(size) else "."
    figures = [
        ("NE seen", percent(point.gain_pct), runs),
        ("QPS", ratio(point.qps_ratio), f"{ratio(point.qps_ratio_low)} to {ratio(point.qps_ratio_high)}"),
    ]
    if point.trial.number in view.data.expected:
        figures.insert(0, ("NE expected", percent(view.data.expected[point.trial.number]), "luck taken out"))
    return _card(view, role, point.trial, "not proven", "plain", why, tuple(figures), leads)


def _after_finals(view: View, picks: Sequence[FinalPick]) -> Answer:
    assert view.finals is not None
    fit = [pick for pick in picks if _may_ship(view, pick)]
    best = _best_proven(fit)
    known = [pick for pick in picks if pick.trial in view.by_number]
    cards = tuple(_final_card(view, p, p is best) for p in sorted(known, key=lambda p: (p is not best, picks.index(p))))
    said = tested_words(view.finals.tested), family_words(view.finals.family)
    how = f"Each model was retrained {_orders(view.finals)} and scored on days the search never saw."
    how += "".join(f" {words}" for words in said if words)
    if best is None:
        why = "No pick's gain can be told from chance, nor is one faster at equal quality."
        if not view.finals.fit:
            why = "No pick is fit to ship: each failed on some order of the data."
        elif not fit:
            why = "No pick keeps the study's limits."
        lead = f"{why} Keep the baseline. {how}"
        return Answer(headline="No better than the baseline.", lead=lead, cards=cards)
    margin = percent(view.finals.margin_pct)
    if best.verdict is Verdict.FASTER:
        headline = f"Ship #{best.trial} for speed: {ratio(best.qps_ratio)} the QPS, NE no worse than {margin}."
        lead = f"No pick is proven better in NE. The 95% interval of its NE gain is {_interval(best)}. {how}"
        return Answer(headline=headline, lead=lead, cards=cards, tone="good")
    slower = "" if best.qps_ratio >= 1.0 else ", if it may be slower"
    headline = f"Ship #{best.trial}{slower}: {_said(best.ne_gain_pct)} at {ratio(best.qps_ratio)} the QPS."
    lead = f"The 95% interval of its gain, {_interval(best)}, lies wholly below 0. {how}"
    faster = _fastest(fit)
    if faster is not None and faster.qps_ratio > best.qps_ratio:
        lead += f" For more speed: #{faster.trial} at {ratio(faster.qps_ratio)} the QPS, NE no worse than {margin}."
    return Answer(headline=headline, lead=lead, cards=cards, tone="good")


def _orders(finals: Finals) -> str:
    """With 5 seeds; on 8 orders of the data (3 where it could not win any more)."""
    dropped = [pick.orders for pick in finals.fit if finals.dropped(pick)]
    if not dropped:
        return f"with {finals.baseline.orders} seeds"
    few = "" if len(dropped) == len(finals.fit) else f" ({min(dropped)} where it could not win any more)"
    return f"on {finals.baseline.orders} orders of the data{few}"


def _may_ship(view: View, pick: FinalPick) -> bool:
    """Whether the page may name it: one that was named by hand for the finals may break the study's limits."""
    trial = view.by_number.get(pick.trial)
    return trial is None or view.history.eligible(trial)


def _best_proven(picks: Sequence[FinalPick]) -> FinalPick | None:
    """Better at the baseline's speed, else better at all (lowest NE), else the fastest of the faster ones."""
    better = [pick for pick in picks if pick.verdict is Verdict.BETTER]
    at_speed = [pick for pick in better if pick.qps_ratio >= 1.0]
    if better:
        return min(at_speed or better, key=lambda pick: pick.ne_gain_pct)
    return _fastest(picks)


def _fastest(picks: Sequence[FinalPick]) -> FinalPick | None:
    """The fastest of those that are faster."""
    return max((p for p in picks if p.verdict is Verdict.FASTER), key=lambda p: p.qps_ratio, default=None)


def _interval(pick: FinalPick | TaskGain) -> str:
    return f"{percent(pick.ci_low_pct)} to {percent(pick.ci_high_pct)}"


def _final_card(view: View, pick: FinalPick, leads: bool) -> Card:
    assert view.finals is not None
    trial = view.by_number[pick.trial]
    searched = ("NE gain, search", percent(pick.search_ne_gain_pct), _runs(trial))
    style, why = BADGES[pick.verdict], _why(pick, view.finals)
    if not view.history.within_limits(trial):
        why += " It breaks a limit of the study: it is not what to ship."
    if lost := [gain.task for gain in pick.tasks if gain.lost]:
        why += f" It predicts {' and '.join(lost)} worse."
    if view.finals.dropped(pick):
        why += f" It was trained on {pick.orders} orders: after them it could not win any more."
    if pick.unfit is not None:
        return _card(view, pick.role, trial, pick.verdict, style, why, (searched,), leads)
    figures = (
        ("NE gain, finals", percent(pick.ne_gain_pct), _interval(pick)),
        *((f"NE gain of {one.task}", percent(one.ne_gain_pct), _interval(one)) for one in pick.tasks),
        searched,
        ("QPS, finals", ratio(pick.qps_ratio), f"at least {ratio(pick.qps_ratio_low)}"),
    )
    return _card(view, pick.role, trial, pick.verdict, style, why, figures, leads)


def _why(pick: FinalPick, finals: Finals) -> str:
    """The verdict's rule, with this pick's numbers."""
    if pick.unfit is not None:
        return f"Unfit to ship: {_clipped(unfit_words(pick.unfit))}."
    over = "picks" if tested_words(finals.tested) is None else "models that were tested"
    tail = f"({p_value(pick.p_corrected)}, corrected over the {over})"
    match pick.verdict:
        case Verdict.BETTER:
            return f"The whole NE interval is below 0 {tail}."
        case Verdict.FASTER:
            ends = percent(pick.ci_high_pct)
            return f"Faster with NE no worse than {percent(finals.margin_pct)}: the interval ends at {ends}."
        case Verdict.WORSE:
            return f"The whole NE interval is above 0 {tail}."
        case _:
            return _why_no_better(pick, tail, finals.family)


def _why_no_better(pick: FinalPick, tail: str, family: Family | None) -> str:
    if pick.ci_high_pct < 0:
        tried = "picks were" if family is None else "picks and studies of the family are"
        return f"No better than the baseline: below 0, but not certain once several {tried} tried {tail}."
    return (
        f"No better than the baseline: the NE interval holds 0 {tail}. NE may be worse by up to "
        f"{pick.smallest_margin_pct:.2f}%, the smallest margin that could be shown."
    )


def _card(
    view: View,
    role: str,
    trial: Trial,
    badge: str,
    style: str,
    why: str,
    figures: tuple[tuple[str, str, str], ...],
    leads: bool,
) -> Card:
    model, baseline = trial.candidate.model, view.history.baseline.candidate.model
    return Card(
        role=role,
        letter=ROLE_LETTERS.get(role, "•"),
        meaning=ROLE_MEANING.get(role, ""),
        leads=leads,
        trial=trial.number,
        badge=badge,
        badge_class=style,
        why=why,
        figures=figures,
        architecture=architecture(model),
        training=training(model),
        changes=tuple(changes(model, baseline)),
        difference=tuple(short_difference(difference(model, baseline))),
        yaml=to_yaml(model),
    )
