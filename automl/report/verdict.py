"""The answer, first on the page: what to ship and why, in plain words."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automl.history import State, Trial
from automl.report.data import FinalPick
from automl.report.derived import Point, View
from automl.report.figures import ROLE_LETTERS
from automl.report.formats import counted, is_number, p_value, percent, ratio
from automl.report.words import architecture, changes, difference, short_difference, to_yaml, training

ROLE_MEANING = {
    "accurate": "lowest NE at the baseline's speed or faster",
    "balanced": "adds most to the front beside the others",
    "fast": "highest QPS with NE no worse than the baseline's",
    "unlimited": "lowest NE whatever its speed",
}
# verdict -> style class of the badge
BADGES = {"better": "good", "faster": "good", "no better": "plain", "worse": "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One pick as the page shows it."""

    role: str
    letter: str
    meaning: str
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
    if not any(view.eligible(trial) for trial in view.history.trials):
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
    parts = [f"{counts[state]} {state.value}" for state in (State.STOPPED, State.FAILED, State.RUNNING) if counts[state]]
    lead = f"Of {counted(len(trials), 'trial')}: {', '.join(parts)}."
    if view.failure_counts:
        kind, reasons = view.failure_counts[0]
        lead += f" Most often: {kind} ({_clipped(reasons[0][0])})."
    return Answer(headline="Nothing to ship: no trial was trained to the end.", lead=lead, cards=(), tone="bad")


def _clipped(text: str, limit: int = 140) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _before_finals(view: View, command: str) -> Answer:
    promising = [(role, p) for role, p in view.picks if p.gain_pct < 0 or p.qps_ratio > 1]
    if not promising:
        return Answer(
            headline="No better than the baseline.",
            lead="No trial of this search beats the baseline in NE or in speed. Keep the baseline.",
            cards=tuple(_search_card(view, role, point) for role, point in view.picks),
        )
    lead = (
        "These are single runs, chosen as the best of many: expect part of the gain to vanish. "
        f"The baseline alone moves by ±{view.noise_pct:.2f}% from seed to seed. Before shipping, let the finals retrain "
        "them with several seeds and score them on days the search never saw:"
    )
    if view.data.picks is None:
        lead = "Extremes of the observed front. " + lead
    headline = f"{counted(len(view.picks), 'candidate')} to confirm, not proven yet."
    return Answer(headline=headline, lead=lead, command=command,
                  cards=tuple(_search_card(view, role, point) for role, point in view.picks))


def _search_card(view: View, role: str, point: Point) -> Card:
    noise = view.noise_pct
    size = abs(point.gain_pct) / noise if noise > 0 else math.nan
    side = "better" if point.gain_pct < 0 else "worse"
    why = f"NE {abs(point.gain_pct):.2f}% {side} than the baseline in one run"
    why += f", {size:.1f} times its seed spread." if is_number(size) else "."
    interval = f"{ratio(point.qps_ratio_low)} to {ratio(point.qps_ratio_high)}"
    figures = (
        ("NE gain, search", percent(point.gain_pct), "one run, validation window"),
        ("QPS", ratio(point.qps_ratio), interval),
    )
    return _card(view, role, point.trial, "not proven", "plain", why, figures)


def _after_finals(view: View, picks: Sequence[FinalPick]) -> Answer:
    assert view.finals is not None
    better = [p for p in picks if p.verdict == "better"]
    faster = [p for p in picks if p.verdict == "faster"]
    cards = tuple(_final_card(view, pick) for pick in picks if pick.trial in view.by_number)
    seeds = f"{view.finals.seeds} seeds each, " if view.finals.seeds else ""
    how = f"Finals: {seeds}scored on days the search never saw, intervals of 95%."
    margin = percent(view.finals.margin_pct)
    if better:
        best = next((p for p in better if p.qps_ratio >= 1.0), better[0])
        lead = f"Its NE interval, {_interval(best)}, lies wholly below the baseline's. "
        if faster:
            lead += f"For speed: #{faster[0].trial} serves {ratio(faster[0].qps_ratio)} with NE no worse than {margin}. "
        headline = f"Ship #{best.trial}: NE {abs(best.ne_gain_pct):.2f}% better at {ratio(best.qps_ratio)} the QPS."
        return Answer(headline=headline, lead=lead + how, cards=cards, tone="good")
    if faster:
        best = max(faster, key=lambda p: p.qps_ratio)
        headline = f"Ship #{best.trial} for speed: {ratio(best.qps_ratio)} the QPS, NE no worse than {margin}."
        lead = f"No pick is better than the baseline in NE. #{best.trial}: NE {_interval(best)}. {how}"
        return Answer(headline=headline, lead=lead, cards=cards, tone="good")
    lead = "No pick's gain can be told from chance, nor is one faster at equal quality. Keep the baseline. "
    return Answer(headline="No better than the baseline.", lead=lead + how, cards=cards)


def _interval(pick: FinalPick) -> str:
    return f"{percent(pick.ci_low_pct)} to {percent(pick.ci_high_pct)}"


def _final_card(view: View, pick: FinalPick) -> Card:
    assert view.finals is not None
    figures = (
        ("NE gain, finals", percent(pick.ne_gain_pct), _interval(pick)),
        ("NE gain, search", percent(pick.search_ne_gain_pct), "one run, validation window"),
        ("QPS, finals", ratio(pick.qps_ratio), f"at least {ratio(pick.qps_ratio_low)}"),
    )
    badge = "no better than the baseline" if pick.verdict == "no better" else pick.verdict
    style = BADGES.get(pick.verdict, "plain")
    return _card(view, pick.role, view.by_number[pick.trial], badge, style, _why(pick, view.finals.margin_pct), figures)


def _why(pick: FinalPick, margin_pct: float) -> str:
    """The verdict's rule, with this pick's numbers."""
    tail = f"({p_value(pick.p_corrected)}, corrected over the picks)"
    if pick.verdict == "better":
        return f"The whole NE interval is below 0 {tail}."
    if pick.verdict == "faster":
        return f"Faster with NE no worse than {percent(margin_pct)}: the interval ends at {percent(pick.ci_high_pct)}."
    if pick.verdict == "worse":
        return f"The whole NE interval is above 0 {tail}."
    if pick.verdict == "no better":
        return (f"The NE interval holds 0 or is not certain {tail}. NE may be worse by up to "
                f"{percent(max(pick.ci_high_pct, 0.0))}, the smallest margin that could be shown.")
    return tail


def _card(view: View, role: str, trial: Trial, badge: str, style: str, why: str,
          figures: tuple[tuple[str, str, str], ...]) -> Card:
    model, baseline = trial.candidate.model, view.history.baseline.candidate.model
    return Card(
        role=role,
        letter=ROLE_LETTERS.get(role, "•"),
        meaning=ROLE_MEANING.get(role, ""),
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
