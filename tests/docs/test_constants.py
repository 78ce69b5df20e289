"""What pages say in prose of a constant is what the code has: a sentence is put together from the constant and must
stand on the page."""

from __future__ import annotations

import pytest

from automl.commands.sources import FEWEST
from automl.exfm.student.auto import DISCOUNT, DROP_AFTER, DROP_AT, MUTE_AT
from automl.exfm.student.recipes import ARMS
from automl.ranking.scoring import FEWEST_STRETCHES
from automl.ranking.throughput import GROUPS, TRIMMED, WIDTH
from automl.runtime.rehearsal import CHECK_ROWS as PART_ROWS
from automl.stats.pareto import REFERENCE
from automl.stats.verdicts import FASTER, LEVEL
from automl.strategies.baselines import FIRST_RANDOM, NSGA2_POPULATION
from automl.strategies.controller import ControllerConfig
from automl.strategies.early import LUCK, MIN_LOW
from automl.strategies.ends import PLACES
from automl.strategies.evidence import STOPPED_WEIGHT
from automl.strategies.fidelity import ALONG, LEAST, PATIENCE, PILOTS
from automl.strategies.fidelity import FEWEST as FEWEST_RANKED
from automl.strategies.opening import KINDS, OPENING
from automl.strategies.picks import FOLDS, MIN_FOR_PREDICTOR
from automl.strategies.recipe import STANDARD
from automl.strategies.stopping import CHECK_ROWS, CHECK_SHARE, IN_A_ROW, MIN_PEERS, MIN_TAU, STOPS, SURE
from automl.study.history import Origin, Prefer
from automl.study.parts import EVERY, LEAST_ROWS
from predictors.monotone import KEPT
from tests.docs.pages import page

COUNTS = {2: "two", 3: "three", 4: "four"}
COUNTED = {1: "one", **COUNTS}
WORDS = {
    0.1: "tenth",
    0.2: "fifth",
    0.5: "half",
    2: "two",
    3: "third",
    4: "four",
    5: "five",
    7: "seven",
    8: "eight",
    10: "ten",
    12: "twelve",
}


def _dot(value: float) -> str:
    """As a share is written: .2"""
    return f"{value:g}".removeprefix("0")


ENDS = [
    f"`{preferred}` gives {COUNTED[sum(PLACES[preferred])]} of {COUNTED[len(PLACES[preferred])]} places"
    for preferred in Prefer
]
SAID = [
    ("statistics.md", f"each tenth of a training up to {STOPS[-1]:.0%} is a stop"),
    ("statistics.md", f"{CHECK_ROWS} rows evenly spread over it, or a {1 / CHECK_SHARE:.0f}nd of the rows"),
    ("statistics.md", f"at least {FEWEST_RANKED} pilots tell and the 95% interval"),
    ("statistics.md", f"lies from {_dot(MIN_LOW)} on"),
    ("statistics.md", f"({KEPT:.0%} of the slope)"),
    ("study.md", f"one in {WORDS[1 / ALONG]} of them; once it has nothing"),
    ("study.md", f"expected to add {LEAST:.0%} of the front"),
    ("study.md", f"until {WORDS[PATIENCE]} in a row have not added"),
    ("study.md", f"From {FEWEST_RANKED} pilots on"),
    ("study.md", f"one row in {EVERY[0]}, {EVERY[1]} or {EVERY[2]}"),
    ("study.md", f"there are at most {PILOTS} besides it"),
    ("study.md", f"Pilots cost up to {1 + sum(1 / every for every in EVERY):.2f} trainings"),
    ("study.md", f"each of these parts that has at least {LEAST_ROWS:,} rows"),
    ("study.md", f"one row in {EVERY[-1]} is fewer than {LEAST_ROWS:,} rows"),
    ("study.md", f"at most {PART_ROWS:,} rows of the validation window"),
    ("statistics.md", f"where that is less, in {FEWEST_STRETCHES} stretches or more"),
    ("statistics.md", f"same order of the rows, at least {MIN_PEERS} trials"),
    ("statistics.md", f"where {COUNTS[IN_A_ROW]} stops in a row say"),
    ("statistics.md", f"(tau below {MIN_TAU})"),
    ("statistics.md", f"that it stays {SURE} standard deviations behind"),
    ("statistics.md", f"a training's luck, {LUCK:.2%}"),
    ("study.md", f"once {COUNTS[IN_A_ROW]} [checks on the validation window]"),
    ("statistics.md", f"informs the predictor with {WORDS[STOPPED_WEIGHT]} weight"),
    ("statistics.md", f"a trimmed mean ({TRIMMED:.0%} at both ends)"),
    ("statistics.md", f"the means of {WORDS[GROUPS]} stretches of time"),
    ("statistics.md", f"the interval is {WIDTH:.0%} wide"),
    ("statistics.md", f"NE {REFERENCE[0]:.0f}% worse than the baseline, {WORDS[0.5 ** REFERENCE[1]]} its QPS"),
    ("statistics.md", f"({WORDS[FOLDS]} folds); with fewer than {MIN_FOR_PREDICTOR} measured trials"),
    ("statistics.md", f"below 0, and the corrected p is below {LEVEL}"),
    ("statistics.md", f"the QPS ratio's lower end is above {FASTER}"),
    ("statistics.md", f"The interval of {1 - LEVEL:.0%} is t"),
    ("statistics.md", f"t({1 - LEVEL / 2}, S - 1)"),
    ("study.md", f"on the front, after {FIRST_RANDOM} random candidates"),
    ("study.md", f"NSGA-II, population {NSGA2_POPULATION}"),
    ("study.md", f"if the interval is not {WIDTH:.0%} wide before"),
    ("exfm.md", f"keeps {DISCOUNT} of its weight each window later"),
    ("exfm.md", f"more than {MUTE_AT:.0%} worse on the student's rows"),
    ("exfm.md", f"stays {DROP_AT:.0f} standard errors behind after {DROP_AFTER} windows"),
    ("exfm.md", f"costs up to {WORDS[len(ARMS)]} trainings in place of one"),
    ("design.md", f"The first {WORDS[OPENING]} trials"),
    ("design.md", f"{WORDS[KINDS.count(Origin.MUTATION)]} mutations of the baseline"),
    ("design.md", f"{WORDS[KINDS.count(Origin.RANDOM)]} random ones"),
    ("design.md", f"every {WORDS[len(PLACES[Prefer.BALANCED])]} place goes to the lowest NE"),
    *(("study.md", said) for said in ENDS),
    ("design.md", f"{STANDARD.mutations} mutations, {STANDARD.crossovers} crossovers"),
    ("design.md", f"The best {WORDS[STANDARD.parents]} of what was made"),
    ("design.md", f"{WORDS[STANDARD.rounds]} times over"),
    ("study.md", f"The {WORDS[KINDS.count(Origin.RANDOM)]} places of the first {WORDS[OPENING]} trials"),
    ("study.md", f"(at least {FEWEST} in each,"),
    ("design.md", f"asks it {ControllerConfig().steps} times for each proposal"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sentence"), SAID, ids=[f"{name}: {said[:40]}" for name, said in SAID])
def test_a_page_says_what_the_code_has(name: str, sentence: str) -> None:
    assert sentence in " ".join(page(name).split())
