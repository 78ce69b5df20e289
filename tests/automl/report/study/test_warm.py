"""What the page says of a warm start."""

from __future__ import annotations

import re
from dataclasses import replace

from automl.report.study.warm import warm_notes
from automl.strategies import strategy_of
from automl.study.config import StudyConfig
from automl.study.history import Origin
from automl.study.precedents import Precedent
from automl.testing import made_up as world
from tests.worlds.studies import study_config

SPACE = world.small_space()


def of(strategy: str) -> StudyConfig:
    return study_config(search={"strategy": strategy})


def test_what_they_say_is_told_with_its_weight() -> None:
    trials = world.Search.start(SPACE).play(strategy_of("random"), 40, 40, seed=9).trials
    told = tuple(
        Precedent(
            study="../a" if trial.number > 10 else "../b/a",
            trial=trial.number,
            model=trial.candidate.model,
            ne_gain_pct=world.baseline().gain_pct(world.true_ne(trial.candidate.model)),
            qps_ratio=1.0,
        )
        for trial in trials
    )
    plain = world.Search.start(SPACE).play(strategy_of("random"), 20, 20, seed=2)
    tried = tuple(replace(trial, origin=Origin.PRECEDENT) for trial in plain.trials[:3])
    history = replace(plain, precedents=told, trials=(*tried, *plain.trials[3:]))
    (note,) = warm_notes(SPACE, history, of("controller"))
    words = "The search started warm from 10 trials of ../b/a and 30 trials of ../a: it tried 3 models of theirs"
    found = re.fullmatch(f"{words}, and its own trials give what they say of NE the weight (.*)\\.", note)
    assert found is not None, note
    assert float(found[1]) > 0.3
    assert warm_notes(replace(SPACE, inputs=None), history, of("controller")) == (f"{words}.",)
    assert warm_notes(SPACE, history, of("random")) == ()
    assert warm_notes(SPACE, plain, of("controller")) == ()
