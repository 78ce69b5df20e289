"""A student of a run as one file to serve: the serving head alone, with its encoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from automl.commands.export import PARITY_ROWS
from automl.commands.log_encoders import log_encoders, log_pasts
from automl.data.encode.stream_plan import make_stream_plan
from automl.exfm.problem import ExfmProblem, Student
from automl.exfm.student.facts import read_run
from automl.exfm.student.jobs import assignments_of
from automl.exfm.student.recipes import recipe_of
from automl.files.whole import need_folder
from automl.ranking.export import ExportError, export_model
from automl.ranking.model import build_member
from automl.runtime.errors import RunError
from search_spaces.errors import InputError
from search_spaces.source import did_you_mean


def export_student(
    problem: ExfmProblem, file: Path, *, student: str, recipe: str | None = None, seed: int = 0
) -> Mapping[str, Any]:
    """Write what would serve after the last window; what was written of it.

    Raises:
        InputError: where the run has no such student, recipe or seed, or the file cannot be written.
        RunError: where the file does not predict what the student predicts.
    """
    need_folder(file)
    chosen = _student(problem, student)
    name = _recipe(problem, chosen, recipe)
    if not 0 <= seed < problem.config.seeds:
        raise InputError.of(str(problem.folder), f"must hold seed {seed}", f"seeds 0 to {problem.config.seeds - 1}")
    found = assignments_of(problem).values()
    assigned = [one for one in found if one.student == student and one.recipe.name == name][seed]
    if not assigned.out.exists():
        raise InputError.of(
            str(assigned.out), "must hold a student that was trained", "nothing", "automl exfm run goes on"
        )
    stream = problem.stream
    facts = read_run(assigned.out)
    fields, dense = (
        [stream.fields[k] for k in assigned.columns.fields],
        [stream.dense[k] for k in assigned.columns.dense],
    )
    model = build_member(facts.spec, assigned.columns.inputs(stream), seed=0)
    model.load_state_dict(torch.load(assigned.out / "model.pt", weights_only=True))
    plan = make_stream_plan(problem.config.data, problem.file.parent)
    encoders = log_encoders(stream.folder, plan).select(fields, dense)
    rows_N = np.flatnonzero(chosen.members_N)[-PARITY_ROWS:]
    try:
        return export_model(
            model,
            encoders,
            file,
            {
                "run": problem.config.name,
                "student": student,
                "recipe": name,
                "serving": facts.serving,
                "seed": seed,
                "model": facts.spec.to_tree(),
                "data": stream.fingerprint,
                "last_window": stream.windows[-1].name,
            },
            features=assigned.columns.read(stream, rows_N),
            tasks=(chosen.label,),
            negatives_kept=chosen.negatives_kept,
            past=next(iter(log_pasts(plan, encoders, stream.fingerprint, stream.folder.parent)), None),
        )
    except ExportError as error:
        raise RunError(str(error)) from error


def _student(problem: ExfmProblem, name: str) -> Student:
    for student in problem.students:
        if student.name == name:
            return student
    names = [student.name for student in problem.students]
    raise InputError.of(str(problem.folder), f"must have a student {name}", "none", did_you_mean(name, names))


def _recipe(problem: ExfmProblem, student: Student, asked: str | None) -> str:
    """Its own where none is asked for."""
    own = recipe_of(problem.config.students[student.part].distill).name
    names = [recipe.name for recipe in student.recipes]
    name = own if asked is None else asked
    if name not in names:
        must = f"{student.name} must have run the recipe {name}"
        raise InputError.of(str(problem.folder), must, ", ".join(names), did_you_mean(name, names))
    return name
