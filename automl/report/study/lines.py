"""The finals in the terminal: a line a pick."""

from __future__ import annotations

from automl.report.study.days import days_words
from automl.report.study.notes import detectable_words, family_words, task_words, tested_words, unfit_words, wide_words
from automl.report.study.tuned import parts_words
from automl.stats.verdicts import Verdict
from automl.study.facts import Facts
from automl.study.results import FinalPick, Finals


def finals_lines(found: Finals, facts: Facts | None = None) -> list[str]:
    """The finals in words, a line a pick, and what must be said of them. `facts` are those of the study."""
    lines = [_line(found, pick) for pick in found.picks]
    wide = wide_words(found.half_width_pct, found.margin_pct, found.seeds_wanted)
    of_all = tested_words(found.tested), family_words(found.family)
    said = days_words(found), detectable_words(found.detectable_pct), wide, *of_all
    return [*lines, *parts_words(found, facts), *(words for words in said if words)]


def _line(found: Finals, pick: FinalPick) -> str:
    name = f"{f'#{pick.trial}':<5} {pick.role:<10}"
    if pick.unfit is not None:
        return f"{name} {pick.verdict} to ship: {unfit_words(pick.unfit)}"
    interval = f"[{pick.ci_low_pct:+.2f}, {pick.ci_high_pct:+.2f}]"
    figures = f"NE {pick.ne_gain_pct:+.2f}% {interval:<16} QPS x{pick.qps_ratio:.2f}"
    dropped = f"; could not win after {pick.orders} orders" if found.dropped(pick) else ""
    tasks = "".join(f"; {task_words(one)}" for one in pick.tasks)
    return f"{name} {figures}   {_verdict_words(pick, found.margin_pct)}{dropped}{tasks}"


def _verdict_words(pick: FinalPick, margin_pct: float) -> str:
    match pick.verdict:
        case Verdict.BETTER | Verdict.WORSE:
            return f"{pick.verdict} (p {pick.p_corrected:.2g})"
        case Verdict.FASTER:
            return f"{pick.verdict} (NE no worse than {margin_pct:+g}%)"
        case _:
            return f"{pick.verdict}: NE may be worse by up to {pick.smallest_margin_pct:.2f}%"
