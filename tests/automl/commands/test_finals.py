"""The judge of the finals: predictions in, verdicts out; and the jobs that make the predictions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from automl.commands.finals import confirmed_gains, finals_lines, judge, run_finals
from automl.commands.repeats import BASELINE, CONFIRM, FINAL, RepeatsSource, scored_window
from automl.data.store.log import EncodedLog
from automl.runtime.errors import RunError
from automl.runtime.jobs import Done, Job, Outcome, Progress, TrainModel
from automl.runtime.work import save_predictions
from automl.stats.metrics import ne as ne_of
from automl.stats.seeds import trial_seeds
from automl.stats.significance import examples_std, log_losses
from automl.strategies.picks import Pick
from automl.study.history import Failure, Origin, Proposal
from automl.study.problem import FINALS_FIT, Problem, encode, load_problem
from automl.study.record import Study
from automl.study.results import Finals
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec
from tests.worlds.judged import write_judged_study
from tests.worlds.report_studies import make_finals, rich_history
from tests.worlds.studies import begun_study, candidates, complete, running, stopped

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finals")
    write_judged_study(folder)
    return folder


@pytest.fixture(scope="module")
def problem(folder: Path) -> Problem:
    return load_problem(folder / "study.yaml")


@pytest.fixture(scope="module")
def log(problem: Problem) -> EncodedLog:
    return encode(problem, FINALS_FIT)


class Court:
    """Two picks and the baseline: probabilities that differ from the baseline's as the case wants it."""

    def __init__(self, problem: Problem, log: EncodedLog, study: Study, seeds: int = 5) -> None:
        self.problem, self.log, self.study, self.seeds = problem, log, study, seeds
        rows = log.windows["test"]
        self.labels = np.asarray(log.labels_N[rows], dtype=np.float64)
        rng = np.random.default_rng(0)
        self.logits = np.stack([self._noisy(0.0, rng) for _ in range(seeds)])
        self.rng = rng
        trials = [running(n, c) for n, c in enumerate(candidates(2, space=problem.space), 1)]
        self.models: dict[str, ModelSpec] = {BASELINE: problem.baseline}
        self.models |= {str(t.number): t.candidate.model for t in trials}
        begun = study.begin([Proposal(t.candidate, Origin.RANDOM) for t in trials], 1)
        base = study.baseline()
        assert base is not None
        for trial, gain in zip(begun, (-0.4, 0.1), strict=True):
            study.end(complete(trial, ne=base.ne * (1 + gain / 100)))

    def _noisy(self, skill: float, rng: np.random.Generator) -> Floats:
        """Logits that know a share of the label, and some luck of the seed."""
        return -1.0 + (0.3 + skill) * (self.labels - 0.25) + rng.normal(0, 0.02, len(self.labels))

    def hears(self, *skills: float) -> Finals:
        probs = {BASELINE: sigmoid(self.logits)}
        for number, skill in enumerate(skills, 1):
            probs[str(number)] = sigmoid(np.stack([self._noisy(skill, self.rng) for _ in range(self.seeds)]))
        self.probs: Mapping[str, Floats] = probs
        chosen = [Pick(number, role, -0.1) for number, role in zip((1, 2), ("accurate", "fast"), strict=False)]
        return judge(self.problem, self.log, probs, chosen[: len(skills)], self.study, self.models)


def sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


@pytest.fixture
def court(problem: Problem, log: EncodedLog, tmp_path: Path) -> Court:
    return Court(problem, log, begun_study(tmp_path, space=problem.space))


# ---------------------------------------------------------------- the judge


def test_a_better_and_a_worse_model_are_told_apart(court: Court) -> None:
    found = court.hears(0.15, -0.15)
    better, worse = found.picks
    assert (better.trial, better.role, better.verdict) == (1, "accurate", "better")
    assert better.ci_low_pct < better.ne_gain_pct < better.ci_high_pct < 0
    assert better.p_corrected < 0.05
    assert worse.ne_gain_pct > 0
    assert worse.verdict == "worse"
    assert better.smallest_margin_pct is None
    assert found.margin_pct == 0.3
    assert found.seeds == 5
    widths = [0.5 * (pick.ci_high_pct - pick.ci_low_pct) for pick in found.picks]
    assert found.half_width_pct == pytest.approx(max(widths))


def test_its_figures_are_those_of_the_predictions(court: Court) -> None:
    found = court.hears(0.05)
    (pick,) = found.picks
    entropy = log_loss(court.labels, np.full(len(court.labels), court.labels.mean()))
    by_seed = {
        name: np.array([log_loss(court.labels, row) / entropy for row in rows]) for name, rows in court.probs.items()
    }
    assert found.baseline.ne == pytest.approx(by_seed[BASELINE].mean())
    assert found.baseline.ne_std == pytest.approx(by_seed[BASELINE].std(ddof=1))
    assert found.baseline.qps == 100_000.0
    assert pick.ne == pytest.approx(by_seed["1"].mean())
    assert pick.ne_gain_pct == pytest.approx(100 * (by_seed["1"].mean() / by_seed[BASELINE].mean() - 1))
    assert pick.search_ne_gain_pct == pytest.approx(-0.4), "what the search had believed, beside it"


def test_a_model_that_is_the_baseline_is_no_better(court: Court) -> None:
    (pick,) = court.hears(0.0).picks
    assert pick.verdict in ("no better", "faster")
    assert pick.ci_low_pct < 0 < pick.ci_high_pct
    if pick.verdict == "no better":
        assert pick.smallest_margin_pct == pytest.approx(pick.ci_high_pct)


def test_a_cheaper_model_of_the_same_quality_is_faster(court: Court) -> None:
    """By the analytic clock the speed is what its cost says."""
    small = court.problem.baseline.to_tree()
    small = {**small, "interaction": [], "deep": [{"mlp": {"width": 16}}], "embedding": {"dim": 4}}
    court.models["1"] = ModelSpec.from_tree(small)
    court.problem = replace(court.problem, config=court.problem.config.model_copy(
        update={"finals": court.problem.config.finals.model_copy(update={"margin_pct": 5.0})}))  # fmt: skip
    (pick,) = court.hears(0.0).picks
    assert pick.qps_ratio_low > 1.05
    assert pick.verdict == "faster"


def test_what_it_finds_is_json(court: Court) -> None:
    found = court.hears(0.1, 0.0)
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert Finals.of_json(data) == found
    assert {"trial", "role", "ne_gain_pct", "ci_low_pct", "ci_high_pct", "p_corrected", "qps_ratio", "qps_ratio_low",
            "search_ne_gain_pct", "verdict"} <= set(data["picks"][0])  # fmt: skip


def test_users_who_share_luck_widen_the_interval(court: Court) -> None:
    """The same predictions, once with rows that share a user's luck and once as if each row had its own."""
    users = np.asarray(court.log.clusters_N[court.log.windows["test"]])
    luck = np.random.default_rng(1).normal(0, 0.5, users.max() + 1)[users]
    noisy = Court._noisy
    court._noisy = lambda skill, rng: noisy(court, skill, rng) + (luck if skill else 0.0)  # type: ignore[method-assign]
    court.rng = np.random.default_rng(9)
    clustered = court.hears(1e-9).picks[0]
    court.rng = np.random.default_rng(9)
    court.log = replace(court.log, clusters_N=np.zeros(len(court.log), np.int32))
    single = court.hears(1e-9).picks[0]
    assert clustered.ne_gain_pct == pytest.approx(single.ne_gain_pct)
    width = {name: pick.ci_high_pct - pick.ci_low_pct for name, pick in (("c", clustered), ("s", single))}
    assert width["c"] > 1.1 * width["s"]


def test_few_days_as_clusters_are_few_degrees_of_freedom(court: Court) -> None:
    rows = court.log.windows["test"]
    two = np.zeros(len(court.log), np.int32)
    two[rows] = np.arange(rows.stop - rows.start) % 2
    by_user = court.hears(0.05).picks[0]
    court.log = replace(court.log, clusters_N=two)
    by_two = court.hears(0.05).picks[0]
    assert by_two.p_corrected > by_user.p_corrected


def test_kept_negatives_are_undone_before_anything_is_compared(court: Court) -> None:
    court.log = replace(court.log, negatives_kept=0.5)
    found = court.hears(0.1)
    weights = np.where(court.labels == 1, 1.0, 2.0)
    probs = {name: p / (p + (1 - p) / 0.5) for name, p in court.probs.items()}
    expected = {name: np.mean([ne_of(court.labels, row, weights) for row in rows]) for name, rows in probs.items()}
    assert found.baseline.ne == pytest.approx(expected[BASELINE])
    assert found.picks[0].ne == pytest.approx(expected["1"])


def test_weights_of_the_rows_count(court: Court) -> None:
    rows = court.log.windows["test"]
    weights = np.ones(len(court.log), np.float32)
    weights[rows] = np.random.default_rng(2).gamma(2.0, size=rows.stop - rows.start)
    court.log = replace(court.log, weights_N=weights)
    found = court.hears(0.1)
    base = np.mean([ne_of(court.labels, row, weights[rows].astype(np.float64)) for row in court.probs[BASELINE]])
    assert found.baseline.ne == pytest.approx(base)


def test_seeds_that_all_agree_leave_the_luck_of_the_examples(court: Court) -> None:
    first, one = court.logits[0], court._noisy(0.1, np.random.default_rng(3))
    court.logits = np.repeat(first[None, :], court.seeds, axis=0)
    court._noisy = lambda skill, rng: one  # type: ignore[method-assign]
    (pick,) = court.hears(0.1).picks
    difference = log_losses(court.labels, sigmoid(one)) - log_losses(court.labels, sigmoid(first))
    clusters = np.asarray(court.log.clusters_N[court.log.windows["test"]])
    rate = court.labels.mean()
    entropy = -len(court.labels) * (rate * math.log(rate) + (1 - rate) * math.log1p(-rate))
    std = examples_std(difference, np.ones(len(difference)), clusters, entropy)
    half = 0.5 * (pick.ci_high_pct - pick.ci_low_pct)
    base = ne_of(court.labels, sigmoid(first))
    assert half == pytest.approx(100 * 1.97 * std / base, rel=0.02)


# ---------------------------------------------------------------- the jobs


def source_of(problem: Problem, log: EncodedLog, out: Path, seeds: int = 2) -> RepeatsSource:
    model = candidates(1, space=problem.space)[0].model
    return RepeatsSource(replace(problem, folder=out), log, {BASELINE: problem.baseline, "7": model}, seeds)


def asked(job: Job) -> TrainModel:
    assert isinstance(job.payload, TrainModel)
    return job.payload


def all_jobs(source: RepeatsSource) -> list[Job]:
    jobs = []
    while isinstance(job := source.next(0), Job):
        jobs.append(job)
    assert job == Done()
    return jobs


def finish(source: RepeatsSource, job: Job, value: float) -> None:
    file = asked(job).predictions
    assert file is not None
    save_predictions(Path(file), np.full(4, value))
    source.ended(job, Outcome())


def test_every_model_meets_every_seed_of_the_finals(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    source = source_of(problem, log, tmp_path)
    assert source.waiting == 4
    jobs = all_jobs(source)
    assert [job.name for job in jobs] == ["final-baseline-0", "final-7-0", "final-baseline-1", "final-7-1"]
    for job in jobs:
        assert (asked(job).train, asked(job).score, asked(job).timing, asked(job).stops) == (
            ("train", "validate"),
            "test",
            None,
            (),
        )
        assert asked(job).log == str(log.folder)
        assert job.limits.timeout_s == 20.0
    assert asked(jobs[0]).order_seed == asked(jobs[1]).order_seed != asked(jobs[2]).order_seed, (
        "paired in what they see"
    )
    assert len({asked(job).weights_seed for job in jobs}) == 4
    searched = {trial_seeds(5, problem.baseline.key, repeat)["weights"] for repeat in range(20)}
    assert not searched & {asked(job).weights_seed for job in jobs}, "the lucky seed is not drawn again"
    assert FINAL.first_order >= 20
    assert source.keep_going(jobs[0], Progress(share=0.5, curve=(), qps_ratio=None))


def test_what_was_trained_is_not_trained_again(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    source = source_of(problem, log, tmp_path)
    told = [0]

    def count() -> None:
        told[0] += 1

    source.told = count
    for value, job in enumerate(all_jobs(source)[:3]):
        finish(source, job, 0.1 * (value + 1))
    assert told == [3]
    assert source.describe()[:2] == (3, 4)
    again = source_of(problem, log, tmp_path, seeds=3)
    left = all_jobs(again)
    assert [job.name for job in left] == ["final-7-1", "final-baseline-2", "final-7-2"]
    for job in left:
        finish(again, job, 0.9)
    found = again.predictions()
    assert {name: rows.shape for name, rows in found.items()} == {BASELINE: (3, 4), "7": (3, 4)}
    assert found[BASELINE][:, 0] == pytest.approx([0.1, 0.3, 0.9])
    assert found["7"][:, 0] == pytest.approx([0.2, 0.9, 0.9])
    assert source_of(problem, log, tmp_path, seeds=3).waiting == 0


def test_a_training_that_failed_is_not_judged_around(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    source = source_of(problem, log, tmp_path)
    jobs = all_jobs(source)
    for job in jobs[:3]:
        finish(source, job, 0.5)
    source.ended(jobs[3], Outcome(failure=Failure("timeout", "took longer than its limit of 20 s")))
    with pytest.raises(RunError, match="1 of the finals' trainings failed; final-7-1: timeout: took longer"):
        source.predictions()


def test_repeats_before_the_picks_never_see_the_test_window(problem: Problem, tmp_path: Path) -> None:
    source = RepeatsSource(replace(problem, folder=tmp_path), problem.log, {BASELINE: problem.baseline}, 3, CONFIRM)
    jobs = all_jobs(source)
    assert [(asked(job).train, asked(job).score) for job in jobs] == [(("train",), "validate")] * 3
    of_search = trial_seeds(5, problem.baseline.key, 0)
    assert of_search["order"] not in {asked(job).order_seed for job in jobs}, "the order that the trial was chosen on"
    of_finals = {trial_seeds(5, "", 0, order=FINAL.first_order + r)["order"] for r in range(100)}
    assert not of_finals & {asked(job).order_seed for job in jobs}


def test_only_models_that_met_every_order_are_confirmed(problem: Problem, tmp_path: Path) -> None:
    """One that failed on some order is left out; against the baseline of the same order the rest are compared."""
    models = {BASELINE: problem.baseline} | {
        str(n): c.model for n, c in enumerate(candidates(2, space=problem.space), 1)
    }
    source = RepeatsSource(replace(problem, folder=tmp_path), problem.log, models, 2, CONFIRM)
    window = scored_window(problem.log, "validate")
    rows = problem.log.windows["validate"]
    labels = np.asarray(problem.log.labels_N[rows], dtype=np.float64)
    skill = {"confirm-baseline-0": 0.2, "confirm-1-0": 0.3, "confirm-baseline-1": 0.4, "confirm-1-1": 0.3}
    for job in all_jobs(source):
        if job.name in skill:
            file = asked(job).predictions
            assert file is not None
            save_predictions(Path(file), sigmoid(-1.0 + skill[job.name] * (labels - 0.25)))
            source.ended(job, Outcome())
        else:
            source.ended(job, Outcome(failure=Failure("diverged", "NE is not a number")))
    found = confirmed_gains(window, source.whole())
    assert list(found) == [1]
    assert [gain < 0 for gain in found[1]] == [True, False]
    with pytest.raises(RunError, match="the baseline failed when it was trained again"):
        confirmed_gains(window, {"1": source.whole()["1"]})


def test_without_a_trial_to_pick_nothing_is_run(problem: Problem, tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=problem.space)
    (trial,) = study.begin([Proposal(candidates(1, space=problem.space)[0], Origin.RANDOM)], 1)
    study.end(stopped(trial))
    with pytest.raises(InputError, match="must hold a trial that was trained to the end within the limits, but found"):
        run_finals(problem, study)


def test_named_trials_must_be_trained_to_their_end(problem: Problem, tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=problem.space)
    (trial,) = study.begin([Proposal(candidates(1, space=problem.space)[0], Origin.RANDOM)], 1)
    study.end(stopped(trial))
    with pytest.raises(InputError, match="must hold the trials, trained to their end, but found no #1, #9"):
        run_finals(problem, study, trials=[1, 9])


# ---------------------------------------------------------------- in words


def test_the_finals_in_words() -> None:
    found = make_finals(rich_history())
    picks = tuple(replace(pick, trial=61, qps_ratio=1.02) for pick in found.picks)
    assert finals_lines(replace(found, picks=picks)) == [
        "#61   accurate   NE -0.21% [-0.34, -0.08]   QPS x1.02   better (p 0.001)",
        "#61   fast       NE +0.02% [-0.12, +0.16]   QPS x1.02   faster (NE no worse than +0.2%)",
        "#61   balanced   NE -0.06% [-0.21, +0.09]   QPS x1.02   no better: NE may be worse by up to 0.09%",
        "#61   unlimited  NE +0.35% [+0.19, +0.51]   QPS x1.02   worse (p 0.004)",
    ]
    wide = replace(found, margin_pct=0.1, seeds_wanted=20)
    assert finals_lines(wide)[-1].startswith("The finals' intervals reach ±0.16%, more than the margin of 0.1%")
