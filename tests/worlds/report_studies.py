"""A made-up study of the space ctr-small: about a hundred trials of every state and kind, for the report to show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from automl.report.study.data import ReportData, StudyFacts
from automl.stats import pareto
from automl.stats.verdicts import Verdict
from automl.study.facts import Facts
from automl.study.history import (
    Baseline,
    CurvePoint,
    Failure,
    Forecast,
    History,
    Limit,
    Measurement,
    Metric,
    Origin,
    PartNE,
    Proposal,
    Speed,
    State,
    Trial,
)
from automl.study.results import BaselineDay, DayGain, Detectable, FinalBaseline, FinalPick, Finals, Unfit
from automl.testing.made_up import HUMAN, INPUTS, small_space, true_qps_ratio
from predictors.evaluate import Ranked
from search_spaces.model import ModelSpec
from search_spaces.moves import mutate
from search_spaces.space import Candidate, SearchSpace
from tests.worlds.studies import study_facts

LIMITS = (Limit(Metric.QPS_RATIO, low=0.25),)
BATCH, OPENING, POINTS = 10, 12, 20
START = 1_767_225_600.0
NOISE = 0.0009  # of NE from seed to seed
ATTACK = '</script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
_FAILURES = (
    Failure("diverged", "NE of the last rows is not a number at row 24,576"),
    Failure("constraint", "serving QPS is ×0.18 of the baseline's; the study asks for ×0.25"),
    Failure(
        "error", f"RuntimeError: shapes {ATTACK} cannot be multiplied\n  at masknet.forward\n  & more < than > that"
    ),
    Failure("timeout", "took longer than its limit of 300 s"),
    Failure("diverged", "NE of the last rows is not a number at row 8,192"),
    Failure("memory", "held 4.2 GiB beyond what its process held before; the limit is 4.0 GiB"),
    Failure("lost", "its process ended after 3.1 s without a word (exit or signal)"),
    Failure("constraint", "serving QPS is ×0.21 of the baseline's; the study asks for ×0.25"),
)


def true_ne(model: ModelSpec) -> float:
    """Learning budget, then capacity with a best size, then blocks."""
    steps = INPUTS.train_rows / model.train.batch_size
    scheduled = 1.0 if model.train.schedule == "constant" else 0.5
    dense = math.log(model.train.dense_lr * steps * scheduled) - math.log(0.2)
    sparse = math.log(model.embedding.lr * math.sqrt(steps) * scheduled) - math.log(0.35)
    size = math.log2(model.embedding.dim * (1 + len(model.interaction))) - 5.0
    names = [block.name for layer in model.interaction for block in layer.blocks]
    crossed = 0.001 * min(names.count("cross"), 2) + 0.0012 * ("masknet" in names) + 0.0004 * ("dot" in names)
    dropped = sum((mlp.dropout - 0.15) ** 2 for mlp in model.deep)
    loss = 0.006 * min(dense**2, 8) + 0.005 * min(sparse**2, 8) + 0.0006 * size**2 + 0.02 * dropped
    return 0.8640 + loss - crossed + 0.003 * (model.train.order == "time")


def speed_of(model: ModelSpec, ratio: float | None = None) -> Speed:
    ratio = true_qps_ratio(model) if ratio is None else ratio
    return Speed(qps_ratio=ratio, qps_ratio_low=0.985 * ratio, qps_ratio_high=1.015 * ratio, train_qps=4e4 * ratio**0.7)


def measurement_of(model: ModelSpec, ne: float, *, complete: bool = True, ratio: float | None = None) -> Measurement:
    cost = model.cost(INPUTS)
    return Measurement(
        ne=ne,
        auc=0.76 - 0.3 * (ne - 0.865) if complete else None,
        calibration=1.01 if complete else None,
        speed=speed_of(model, ratio),
        params=cost.params,
        flops=cost.flops,
        activation_bytes=cost.bytes,
        seconds={"build": 0.1, "time": 0.6, "train": 3.0, "score": 0.3},
    )


def curve_of(ne: float, points: int, seed: int, rows: int = INPUTS.train_rows) -> tuple[CurvePoint, ...]:
    """Falls towards `ne`; hard stretches of the log are hard for every model."""
    rng = np.random.default_rng(seed)
    seen, total, curve = 0, 0.0, []
    for index in range(points):
        step, seen = rows // POINTS, seen + rows // POINTS
        window = ne + 0.16 * (index + 1) ** -0.75 * (1 + 4 * abs(ne - 0.864)) + 0.004 * math.sin(1.7 * index)
        window += 0.002 * float(rng.normal())
        total += step * window
        curve.append(CurvePoint(seen, window, total / seen))
    return tuple(curve)


def make_baseline(seeds: int = 3) -> Baseline:
    luck = np.random.default_rng(11).normal(size=seeds)
    nes = [true_ne(HUMAN) + NOISE * float(z) for z in (luck - luck.mean()) / max(luck.std(ddof=1), 1e-9)]
    trials = tuple(
        Trial(
            number=0,
            candidate=Candidate({}, HUMAN),
            origin=Origin.BASELINE,
            state=State.COMPLETE,
            measurement=measurement_of(HUMAN, ne, ratio=1.0),
            curve=curve_of(ne, POINTS, seed),
            started_at=START + 5 * seed,
            ended_at=START + 5 * seed + 4.5,
            cpu_seconds=4.3,
        )
        for seed, ne in enumerate(nes)
    )
    return Baseline(
        candidate=trials[0].candidate,
        trials=trials,
        ne=float(np.mean(nes)),
        ne_std=float(np.std(nes, ddof=1)),
        qps=141_000.0,
        train_qps=46_000.0,
    )


@cache
def rich_history(count: int = 100, seed: int = 0) -> History:
    """Complete, stopped and failed trials of several rounds and origins, two of them on two workers at once."""
    rng = np.random.default_rng(seed)
    space, baseline = small_space(), make_baseline()
    trials: list[Trial] = []
    clock = [START + 20.0, START + 20.0]
    failures = iter(_FAILURES * 3)
    while len(trials) < count:
        round_ = 1 if len(trials) < OPENING else 2 + (len(trials) - OPENING) // BATCH
        trial = _proposed(space, trials, round_, rng)
        worker = int(np.argmin(clock))
        trial = _ended(trial, baseline, next(failures) if rng.random() < 0.1 else None, rng)
        assert trial.cpu_seconds is not None
        started = clock[worker]
        clock[worker] = started + trial.cpu_seconds * 1.08 + 0.1
        trials.append(replace(trial, started_at=started, ended_at=clock[worker]))
    return History(baseline, tuple(trials), LIMITS)


def _proposed(space: SearchSpace, trials: Sequence[Trial], round_: int, rng: np.random.Generator) -> Trial:
    number = len(trials) + 1
    known = {trial.candidate.key for trial in trials}
    near = space.nearest(HUMAN)
    if number == 1:
        return Trial(number=1, candidate=space.default(), origin=Origin.DEFAULT, state=State.RUNNING, round=1)
    while True:
        kind = float(rng.random())
        front = _front(trials)
        if round_ == 1:
            origin = Origin.MUTATION if kind < 0.65 else Origin.RANDOM
            candidate = mutate(space, near, rng) if kind < 0.65 else space.random(rng)
        elif kind < 0.12 or not front:
            origin, candidate = Origin.RANDOM, space.random(rng)
        else:
            origin = Origin.MUTATION if kind < 0.4 else Origin.CONTROLLER
            parent = front[int(rng.integers(len(front)))].candidate
            candidate = mutate(space, parent, rng, 0.1 if origin is Origin.CONTROLLER else 0.3)
        if candidate.key not in known and space.allows(candidate):
            break
    forecast = None
    if round_ > 1:
        off = 0.012 / round_ * float(rng.normal())
        ratio = true_qps_ratio(candidate.model) * math.exp(0.1 * float(rng.normal()))
        forecast = Forecast(true_ne(candidate.model) + off, 0.004, ratio)
    return Trial(
        number=number, candidate=candidate, origin=origin, state=State.RUNNING, round=round_, forecast=forecast
    )


def _front(trials: Sequence[Trial]) -> list[Trial]:
    done = [t for t in trials if t.state is State.COMPLETE and t.measurement]
    if not done:
        return []
    ne = np.array([t.measurement.ne for t in done if t.measurement])
    ratio = np.array([t.measurement.speed.qps_ratio for t in done if t.measurement])
    return [done[i] for i in np.flatnonzero(pareto.front(pareto.objectives(ne, ratio)))]


def _ended(trial: Trial, baseline: Baseline, failure: Failure | None, rng: np.random.Generator) -> Trial:
    model = trial.candidate.model
    ne = true_ne(model) + NOISE * float(rng.normal())
    full = 1.2 + 3.2 / true_qps_ratio(model) ** 0.5
    if failure is not None:
        measurement = measurement_of(model, math.nan, complete=False) if failure.kind == "constraint" else None
        curve = curve_of(ne, 3, trial.number) if failure.kind == "diverged" else ()
        return replace(
            trial, state=State.FAILED, failure=failure, measurement=measurement, curve=curve, cpu_seconds=0.4 * full
        )
    gain = baseline.gain_pct(ne)
    if gain > 1.0 and trial.round > 1 and rng.random() < 0.75:
        share = 5 if gain > 2.5 else 10
        seen = math.nan if trial.number % 17 == 0 else ne + 0.002 * float(rng.normal())
        return replace(
            trial,
            state=State.STOPPED,
            measurement=measurement_of(model, seen, complete=False),
            curve=curve_of(ne, share, trial.number),
            cpu_seconds=full * share / POINTS,
        )
    return replace(
        trial,
        state=State.COMPLETE,
        measurement=measurement_of(model, ne),
        curve=curve_of(ne, POINTS, trial.number),
        cpu_seconds=full,
    )


def running(number: int, proposal: Proposal, round_: int = 1) -> Trial:
    return Trial(
        number=number,
        candidate=proposal.candidate,
        origin=proposal.origin,
        forecast=proposal.forecast,
        state=State.RUNNING,
        round=round_,
    )


def make_run(**changes: Any) -> Facts:
    """What is recorded of the study's run."""
    return study_facts(
        **{
            "config_text": f"name: feed-ctr\n# {ATTACK}\nseed: 7\n",
            "versions": {"python": "3.11.2", "ranking-automl": "0.1.0", "ray": "2.60.0", "torch": "2.13.0"},
            "machine": "Linux x86_64, 2 cores, Python 3.11.2",
            "started_at": START,
            "wall_seconds": 244.0,
            "trials_wanted": 100,
            **changes,
        }
    )


def make_facts(**changes: Any) -> StudyFacts:
    facts = StudyFacts(
        name=f"feed-ctr {ATTACK}",
        run=make_run(),
        command="automl search feed/study.yaml --trials 100 --workers 2",
        data="log/*.parquet, 222,869 rows, 20 id fields, 6 dense, label click",
        space="ctr-small, 21 knobs",
        space_size="2.1e7 discrete combinations x 5 continuous knobs",
        split_days={
            "train": "2022-04-25 to 2022-05-04, 150,000 rows, 44.2% positive",
            "validate": "2022-05-05 to 2022-05-06, 36,000 rows, 43.9% positive",
            "test": "2022-05-07 to 2022-05-08, 36,869 rows, 44.0% positive",
        },
        seed=7,
        strategy="controller",
        core_seconds=401.0,
        qps_conditions="PyTorch, float32, 1 thread, batches of 512 rows, CPU time",
        bayes_ne={"validate": 0.8312, "test": 0.8330},
        data_notes=("time `time_ms`: read as milliseconds by its size",),
    )
    return replace(facts, **changes)


def roles_of(history: History) -> dict[str, int]:
    """Roles by the measured figures alone, each trial once."""
    front = sorted(_front(history.trials), key=lambda t: _figures(history, t))
    at_speed = [t for t in front if _figures(history, t)[1] >= 1.0]
    good = [t for t in front if _figures(history, t)[0] <= 0.0]
    chosen: dict[str, int] = {}
    if at_speed:
        chosen["accurate"] = at_speed[0].number
    if good:
        chosen["fast"] = max(good, key=lambda t: _figures(history, t)[1]).number
    between = [t.number for t in at_speed if t.number not in chosen.values() and _figures(history, t)[0] <= 0.0]
    if between:
        chosen["balanced"] = between[len(between) // 2]
    if front[0].number not in chosen.values():
        chosen["unlimited"] = front[0].number
    return chosen


def _figures(history: History, trial: Trial) -> tuple[float, float]:
    assert trial.measurement is not None
    return history.baseline.gain_pct(trial.measurement.ne), trial.measurement.speed.qps_ratio


def make_finals(history: History, verdicts: Sequence[str] = ("better", "faster", "no better", "worse")) -> Finals:
    """Finals of the search's picks; every verdict with figures that earn it."""
    roles = list(roles_of(history).items())
    shapes = {
        Verdict.BETTER: (-0.21, 0.13, 0.001),
        Verdict.FASTER: (0.02, 0.14, 0.78),
        Verdict.NO_BETTER: (-0.06, 0.15, 0.42),
        Verdict.WORSE: (0.35, 0.16, 0.004),
    }
    front = [t.number for t in _front(history.trials)]
    names = ("accurate", "fast", "balanced", "unlimited")
    used = {number for _, number in roles}
    spare = [number for number in front if number not in used]
    picks = []
    by_number = {trial.number: trial for trial in history.trials}
    for name, verdict in zip(names, map(Verdict, verdicts), strict=False):
        number = dict(roles).get(name) or spare.pop()
        gain, half, p = shapes[verdict]
        searched, ratio = _figures(history, by_number[number])
        pick = FinalPick(
            trial=number,
            role=name,
            orders=5,
            ne=history.baseline.ne * (1 + gain / 100),
            ne_gain_pct=gain,
            ci_low_pct=gain - half,
            ci_high_pct=gain + half,
            p_corrected=p,
            order_std_pct=0.06,
            examples_std_pct=0.04,
            examples_std_first_day_pct=0.056,
            qps_ratio=0.98 * ratio,
            qps_ratio_low=0.96 * ratio,
            search_ne_gain_pct=searched,
            confirmed_ne_gain_pct=searched,
            verdict=verdict,
            days=tuple(
                DayGain(
                    day=day,
                    ne_gain_pct=gain + off,
                    ci_low_pct=gain + off - 1.5 * half,
                    ci_high_pct=gain + off + 1.5 * half,
                )
                for day, off in (("2022-05-07", -0.04), ("2022-05-08", 0.04))
            ),
        )
        picks.append(pick)
    return Finals(
        baseline=FinalBaseline(ne=0.8681, ne_std=0.0010, qps=history.baseline.qps, orders=5),
        margin_pct=0.2,
        seeds=5,
        seeds_wanted=0,
        detectable_pct=Detectable(planned=0.16, found=0.145),
        picks=tuple(picks),
        progressive=True,
        days=(
            BaselineDay(day="2022-05-07", rows=18_000, ne=0.8671),
            BaselineDay(day="2022-05-08", rows=18_869, ne=0.8690),
        ),
        trials=100,
        confirmed={},
    )


def unfit(pick: FinalPick, order: int = 3) -> FinalPick:
    """As a pick that diverged on an order of the finals."""
    measured = (
        "ne",
        "ne_gain_pct",
        "ci_low_pct",
        "ci_high_pct",
        "p_corrected",
        "order_std_pct",
        "examples_std_pct",
        "examples_std_first_day_pct",
        "qps_ratio",
        "qps_ratio_low",
    )
    found = Unfit(order=order, kind="diverged", reason="NE rose to 3.2 after 512 rows")
    return replace(
        pick, **dict.fromkeys(measured, math.nan), orders=order - 1, verdict=Verdict.UNFIT, days=(), unfit=found
    )


def shares() -> dict[str, dict[str, float]]:
    ne = {
        "train.batch_size": 0.31,
        "train.dense_lr": 0.22,
        "embedding.lr": 0.14,
        "train.schedule": 0.08,
        "embedding.dim": 0.07,
        "interaction.repeat": 0.05,
        "deep[*].mlp.width": 0.04,
        "deep.repeat": 0.03,
        "wiring": 0.02,
    }
    qps = {"embedding.dim": 0.44, "interaction.repeat": 0.21, "deep.repeat": 0.15, "wiring": 0.06, "train.order": 0.004}
    return {"ne": ne, "qps": qps}


def rich_data(*, finals: bool = False, **changes: Any) -> ReportData:
    """All that a report can show."""
    history = rich_history()
    taus = ((2, 0.11, 10), (3, -0.2, 9), (4, 0.38, 10), (5, 0.51, 8), (6, 0.42, 10), (7, 0.64, 9), (8, 0.36, 10))
    data = ReportData(
        facts=make_facts(),
        history=history,
        finals=make_finals(history) if finals else None,
        picks=roles_of(history),
        expected={number: 0.5 * gain_of(history, number) for number in roles_of(history).values()},
        importances=shares(),
        rankings=[Ranked(*entry) for entry in taus],
    )
    return replace(data, **changes)


def gain_of(history: History, number: int) -> float:
    return next(_figures(history, trial)[0] for trial in history.trials if trial.number == number)


def history_of(*trials: Trial, limits: tuple[Limit, ...] = ()) -> History:
    return History(make_baseline(), trials, limits)


def complete(number: int, *, gain: float, ratio: float, seed: int = 0) -> Trial:
    """A complete trial with these figures; its model is of no matter."""
    baseline = make_baseline()
    candidate = small_space().random(np.random.default_rng([seed, number]))
    ne = baseline.ne * (1 + gain / 100)
    return Trial(
        number=number,
        candidate=candidate,
        origin=Origin.RANDOM,
        state=State.COMPLETE,
        round=1,
        measurement=measurement_of(candidate.model, ne, ratio=ratio),
        curve=curve_of(ne, POINTS, number),
        started_at=START + 5 * number,
        ended_at=START + 5 * number + 4,
        cpu_seconds=3.9,
    )


def on_part(number: int, level: float, gain: float, *, pilot: bool) -> Trial:
    """Trained on one row in 8, to this NE: a pilot, which is complete, or one that waits."""
    trial = complete(number, gain=gain, ratio=1.4)
    assert trial.measurement is not None
    trial = replace(trial, measurement=replace(trial.measurement, parts=(PartNE(8, level),), pilot=pilot))
    return trial if pilot else replace(trial, state=State.STOPPED, curve=())


def failed(number: int, kind: str = "diverged", reason: str = "NE is not a number") -> Trial:
    candidate = small_space().random(np.random.default_rng([9, number]))
    return Trial(
        number=number,
        candidate=candidate,
        origin=Origin.RANDOM,
        state=State.FAILED,
        round=1,
        failure=Failure(kind, reason),
        started_at=START + 5 * number,
        ended_at=START + 5 * number + 1,
        cpu_seconds=0.8,
    )
