"""Which models of a study the test window was ever asked of. Whoever tests again and again until one looks better finds
one: so what is claimed is corrected over all of them, whichever finals they were tested by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from automl.study.claims import finals_of
from automl.study.facts import Asked, Facts
from automl.study.history import Trial
from automl.study.record import Study
from automl.study.results import Finals
from search_spaces.model import ModelSpec


def tested_before(facts: Facts, trials: Sequence[Trial], folder: Path) -> dict[str, Asked]:
    """By key, what the record tells; where an older release ran the finals, also what finals.json tells. The corrected
    p that stands there is no lower than the model's own.

    Raises:
        InputError: where finals.json cannot be read.
    """
    finals, _ = finals_of(folder, facts, trials)
    keys = {trial.number: trial.candidate.key for trial in trials}
    found: dict[str, Asked] = {}
    for pick in () if finals is None else finals.picks:
        if pick.trial in keys:
            found[keys[pick.trial]] = Asked(at=None, p=None if math.isnan(pick.p_corrected) else pick.p_corrected)
    return {**found, **facts.tested}


def asked_of(study: Study, before: Mapping[str, Asked], models: Iterable[ModelSpec], now: float) -> dict[str, Asked]:
    """What was tested before and these models, written down before anything of the test window is scored: also what is
    stopped, or fails, was asked."""
    tested = dict(before)
    for model in models:
        tested.setdefault(model.key, Asked(at=now))
    study.note(replace(study.facts, tested=tested))
    return tested


def judged_with(study: Study, found: Finals) -> None:
    """Write down the p of the picks that were judged: later finals correct over them."""
    keys = {trial.number: trial.candidate.key for trial in study.trials}
    known = study.facts.tested
    judged = {} if found.tested is None else {keys[number]: p for number, p in found.tested.p.items()}
    study.note(replace(study.facts, tested={**known, **{key: replace(known[key], p=p) for key, p in judged.items()}}))
