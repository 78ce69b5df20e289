"""What a warm start did, for the page."""

from __future__ import annotations

from automl.report.common.formats import counted, listed
from automl.strategies.evidence import gather
from automl.strategies.outlook import fit_outlook
from automl.study.config import DEAF, StudyConfig
from automl.study.history import History, Origin
from automl.study.precedents import trials_told
from search_spaces.space import SearchSpace


def warm_notes(space: SearchSpace, history: History, config: StudyConfig) -> tuple[str, ...]:
    """Which studies the search started warm from, how many of their models it tried, and how much of what they say its
    own trials bear out; nothing where they are not heard. No weight where the log is gone, whose shape a fit needs."""
    if not history.precedents or config.search.strategy in DEAF:
        return ()
    told = [f"{counted(count, 'trial')} of {name}" for name, count in trials_told(history.precedents).items()]
    tried = sum(trial.origin is Origin.PRECEDENT for trial in history.trials)
    words = f"The search started warm from {listed(told)}: it tried {counted(tried, 'model')} of theirs"
    outlook = None if space.inputs is None else fit_outlook(space, gather(space, history), history.limits, seed=0)
    if outlook is None or outlook.prior is None:
        return (f"{words}.",)
    return (f"{words}, and its own trials give what they say of NE the weight {outlook.prior.weight:.2f}.",)
