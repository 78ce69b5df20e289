"""What the students of a run say of the rows that are kept of each: noted when the run ends, asked of an exported file.

K rows that are kept of a student.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from automl.exfm.kept import read_kept
from automl.exfm.problem import ExfmProblem
from automl.exfm.student.facts import WEIGHTS, read_run
from automl.exfm.student.run import Assignment
from automl.files.parts import digest_of
from automl.files.whole import whole_file
from automl.ranking.model import RankingModel, build_member
from automl.ranking.place import fetch
from automl.ranking.scoring import logits_of
from search_spaces.errors import InputError
from search_spaces.model import InputShape

SAID = "said.npz"  # beside the weights


def note_said(problem: ExfmProblem, assignments: Mapping[str, Assignment]) -> None:
    """Beside the weights of each student, recipe and seed the logits of its kept rows, by the stream's own encoding."""
    for one in assignments.values():
        if (one.out / SAID).exists():
            continue
        rows_K = read_kept(problem.folder, one.student).rows_K
        model = student_model(one.out, one.columns.inputs(problem.stream))
        logits_K = fetch(logits_of(model.eval(), one.columns.read(problem.stream, rows_K).parts()))
        with whole_file(one.out / SAID) as part, part.open("wb") as file:
            np.savez(file, rows=rows_K, logits=logits_K)


def read_said(out: Path, rows_K: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities (K,) that were given to these rows.

    Raises:
        InputError: where none were noted, or of other rows.
    """
    must, hint = "must hold what the student said of the rows that are kept", "`automl exfm run` notes it"
    try:
        with np.load(out / SAID) as held:
            rows, logits = held["rows"], held["logits"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError.of(str(out / SAID), must, "nothing that can be read", hint) from error
    if not np.array_equal(rows, rows_K):
        raise InputError.of(str(out / SAID), must, "that of other rows", hint)
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def student_model(out: Path, inputs: InputShape) -> RankingModel:
    """The student that a run has left in a folder.

    Raises:
        InputError: where its weights are not those that were left.
    """
    facts, file = read_run(out), out / WEIGHTS
    if facts.weights and (not file.exists() or digest_of(file) != facts.weights):
        raise InputError.of(str(file), "must be the weights that the run left", "others" if file.exists() else "none")
    model = build_member(facts.spec, inputs, seed=0)
    model.load_state_dict(torch.load(file, weights_only=True))
    return model
