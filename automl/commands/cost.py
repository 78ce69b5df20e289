"""What a search of a study costs before it is started: CPU seconds, memory, disk, and where the machine has too little.

Three models are probed: the baseline, and of the space the one that is slower than a tenth and the one that is faster
than a tenth, by what their training costs on paper. N candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.commands.probe import Busy, probe, trial_seconds
from automl.data.encode.room import spill_bytes
from automl.files.passed import Told, untold
from automl.ranking.memory import trial_bytes
from automl.ranking.place import gpus
from automl.ranking.process import prepare_process
from automl.report.common.formats import counted
from automl.runtime.host import Room
from automl.study.checked import CheckedNote, Cost, NoteKind, TrialSeconds
from automl.study.fits import cuts_alike, lengths_alike
from automl.study.parts import EVERY, LEAST_ROWS, parts_of
from automl.study.problem import Problem
from search_spaces.model import ModelSpec
from search_spaces.space import SearchSpace

Floats = NDArray[np.float64]
GIB = 2**30
DRAWN = 300  # candidates that stand for the space
TRIALS = 100  # that a search is told for
TENTH = 0.1
FEWEST_STEPS = 20  # that a baseline is believed to have learned in
WORKER_BYTES = 300 << 20  # a process with torch and Ray, before it holds a model
DRIVER_BYTES = 680 << 20  # the search itself, its predictors, and Ray's own processes
START_SECONDS = 5.0  # of a core, until a worker takes its first trial up
SHARED = 2.0  # how much longer a trial may take on the wall than in CPU seconds, where others use the machine
_STEP, _FLOP, _BYTE = 9e-4, 2e-11, 9e-10  # CPU seconds of a step, of a FLOP and of a byte of a row forward


@dataclass(frozen=True, slots=True)
class Spread:
    """Models of a study from fast to slow in training."""

    low: ModelSpec
    baseline: ModelSpec
    high: ModelSpec


def drawn(problem: Problem) -> Floats:
    """Candidates of the space, drawn evenly from the study's seed: (N, decisions)."""
    rng = np.random.default_rng(problem.config.seed)
    return np.stack([problem.space.random_answers(rng) for _ in range(DRAWN)])


def spread(problem: Problem, answers_ND: Floats) -> Spread:
    """The baseline, and the models that a tenth of the candidates train faster and slower than."""
    order = np.argsort(row_seconds(problem.space, answers_ND), kind="stable")
    low, high = (problem.space.candidate(answers_ND[order[round(q * (len(order) - 1))]]) for q in (TENTH, 1 - TENTH))
    return Spread(low.model, problem.baseline, high.model)


def row_seconds(space: SearchSpace, answers_ND: Floats) -> Floats:
    """What a row of training costs on paper, to order candidates by: (N,).

    The three figures lie between those fitted to the CPU seconds of two searches, on KuaiRand and The Complete Journey,
    which come within 9% of four trials of five.
    """
    costing = space.costing
    batch, epochs, members = (
        costing.knobs.number(answers_ND, path) for path in ("train.batch_size", "train.epochs", "members")
    )
    total = costing.total(answers_ND)
    return np.asarray(epochs * (_STEP * members / batch + _FLOP * total.flops + _BYTE * total.bytes))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a search costs, the bytes that a worker holds at its most, and what the study's own limits or the machine do
    not allow."""

    cost: Cost
    worker_bytes: int
    notes: tuple[CheckedNote, ...]


def predicted(
    problem: Problem,
    answers_ND: Floats,
    workers: int,
    room: Room,
    busy: Busy,
    told: Told = untold,
) -> Prediction:
    """What a search of these candidates costs. Trains for seconds; the process is set up as a trial's worker is.

    `told` hears before that where one trial alone may ask for more memory than there is.
    """
    held = most_bytes(problem, answers_ND)
    if held > room.memory_bytes:
        free = gib(room.memory_bytes / GIB)
        told(f"a trial holds up to {gib(held / GIB)} of memory, but {free} are free: the system may end this command")
    prepare_process()
    models, reference = spread(problem, answers_ND), probe(problem, problem.baseline, busy)
    low, high = (trial_seconds(problem, one, probe(problem, one, busy), reference) for one in (models.low, models.high))
    trial, repeat = (
        trial_seconds(problem, problem.baseline, reference, reference, timed=timed) for timed in (True, False)
    )
    cost = Cost(
        trial_seconds=TrialSeconds(low=low, baseline=trial, high=high),
        search_minutes=_search_seconds(problem, trial, repeat, workers, room.cores) / 60,
        memory_gib=(workers * (WORKER_BYTES + held) + DRIVER_BYTES) / GIB,
        disk_gib=_disk_bytes(problem) / GIB,
    )
    notes = [*_alike_notes(problem), *_limit_notes(problem, cost.trial_seconds, held)]
    notes += _room_notes(problem, cost, room)
    notes += [*_step_notes(problem), *_part_notes(problem), *_gpu_notes(problem)]
    return Prediction(cost, WORKER_BYTES + held, tuple(notes))


def most_bytes(problem: Problem, answers_ND: Floats) -> int:
    """What the largest of the candidates and the baseline hold beyond their worker's own memory."""
    models = [problem.baseline, *(problem.space.candidate(answers).model for answers in answers_ND)]
    return max(model_bytes(problem, model) for model in models)


def model_bytes(problem: Problem, model: ModelSpec) -> int:
    """What a trial of this model holds beyond its worker's own memory, at its most."""
    log, batch_rows = problem.log, problem.config.qps.batch_rows
    train, score = log.windows["train"], log.windows["validate"]
    scored = score.stop - score.start
    return trial_bytes(model, log.inputs, train, scored, reference=problem.baseline, batch_rows=batch_rows)


def _search_seconds(problem: Problem, trial: float, repeat: float, workers: int, cores: int) -> float:
    """Of the wall on cores that nobody else uses; every trial as long as the baseline's, as they are on average."""
    config = problem.config
    untimed = config.search.tune_baseline + config.search.repeats * TRIALS
    total = (TRIALS + config.baseline_seeds) * trial + untimed * repeat
    return (total + workers * START_SECONDS) / min(workers, cores)


def _disk_bytes(problem: Problem) -> int:
    """The log encoded for the search, once more for the finals, and what lies beside it while that is done."""
    spilled = 0 if problem.plan is None else spill_bytes(problem.plan, len(problem.log))
    return 2 * _encoded_bytes(problem) + spilled


def _encoded_bytes(problem: Problem) -> int:
    return sum(file.stat().st_size for file in problem.log.folder.rglob("*") if file.is_file())


def _alike_notes(problem: Problem) -> list[CheckedNote]:
    """Where trials would be spent on one model under several names."""
    alike = cuts_alike(problem.document, problem.space, problem.log.inputs)
    if problem.log.histories:
        longest = max(history.shape.most for history in problem.log.histories)
        alike += lengths_alike(problem.document, problem.space, longest)
    return [CheckedNote(at=str(at), text=text, kind="space") for at, text in alike]


def _limit_notes(problem: Problem, seconds: TrialSeconds, held: int) -> list[CheckedNote]:
    """Where the study's own limits would end trials."""
    trial, notes = problem.config.trial, []
    for words, needed in (("the baseline", seconds.baseline), ("a trial of the slowest tenth", seconds.high)):
        if SHARED * needed > trial.timeout:
            text = (
                f"{words} takes {needed:.0f} CPU seconds, up to {SHARED * needed:.0f} s on cores that others use as "
                f"well: its timeout is {trial.timeout:.0f} s"
            )
            notes.append(_note(problem, text, "limits", "trial", "timeout"))
            break
    if held > trial.memory:
        text = f"a trial holds up to {gib(held / GIB)} of memory: its limit is {gib(trial.memory / GIB)}"
        notes.append(_note(problem, text, "limits", "trial", "memory"))
    return notes


def _room_notes(problem: Problem, cost: Cost, room: Room) -> list[CheckedNote]:
    """Where the machine has less than what is needed."""
    notes, more = [], cost.disk_gib - _encoded_bytes(problem) / GIB
    if cost.memory_gib > room.memory_bytes / GIB:
        text = f"a search holds up to {gib(cost.memory_gib)} of memory, but {gib(room.memory_bytes / GIB)} are free"
        notes.append(_note(problem, text, "memory"))
    if more > room.disk_bytes / GIB:
        text = f"the finals write {gib(more)} more to disk, but {gib(room.disk_bytes / GIB)} are free"
        notes.append(_note(problem, text, "disk"))
    return notes


def _step_notes(problem: Problem) -> list[CheckedNote]:
    """Where gains would be against a model that has hardly learned."""
    window, train = problem.log.windows["train"], problem.baseline.train
    rows, at_once = window.stop - window.start, train.batch_size * train.accumulate
    steps = train.epochs * max(1, -(-rows // at_once))
    if steps >= FEWEST_STEPS:
        return []
    text = f"the baseline learns in {counted(steps, 'step')}: train has {rows:,} rows, and a step takes {at_once:,}"
    return [_note(problem, text, "limits", "baseline")]


def _part_notes(problem: Problem) -> list[CheckedNote]:
    """Where the training window is too small for the fidelity that is asked for."""
    window = problem.log.windows["train"]
    rows = window.stop - window.start
    if problem.config.search.fidelity == "full" or parts_of(rows):
        return []
    text = (
        f"every candidate is trained on all {rows:,} rows of train: every {EVERY[-1]}th of them is fewer than "
        f"{LEAST_ROWS:,}, too few to rank candidates by"
    )
    return [_note(problem, text, "limits", "search", "fidelity")]


def _gpu_notes(problem: Problem) -> list[CheckedNote]:
    """Where trials train on a GPU, which this command has no use of."""
    if not problem.config.resources.gpu:
        return []
    missing = "" if gpus() else "; torch sees none on this machine, so that they run on a cluster only (--address)"
    text = f"trials train on a GPU, and what they cost is told for this machine's cores{missing}"
    return [_note(problem, text, "gpu", "resources", "gpu")]


def _note(problem: Problem, text: str, kind: NoteKind, *path: str) -> CheckedNote:
    at = str(problem.document.at(*path)) if path else problem.document.file
    return CheckedNote(at=at, text=text, kind=kind)


def gib(size: float) -> str:
    """A size as people read it."""
    return f"{size:.1f} GiB" if size >= 0.1 else f"{1024 * size:.0f} MiB"
