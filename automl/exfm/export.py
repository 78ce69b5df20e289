"""A student of a run as one file to serve: the serving head alone, with its encoders. All of it is what the run has
left: neither its file nor its log is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.exfm.kept import read_kept
from automl.exfm.said import read_said, student_model
from automl.exfm.student.facts import read_run_of
from automl.exfm.student.jobs import STUDENTS, job_name
from automl.files.whole import need_folder
from automl.ranking.export import ExportError, Proof, export_model
from automl.ranking.features import Features, read_encoded
from automl.runtime.errors import RunError
from automl.study.exfm_results import ExfmResult, StudentResult
from search_spaces.errors import InputError
from search_spaces.source import did_you_mean


def export_student(
    folder: Path, result: ExfmResult, file: Path, *, student: str, recipe: str | None = None, seed: int = 0
) -> Mapping[str, Any]:
    """Write what would serve after the last window; what was written of it.

    Raises:
        InputError: where the run has no such student, recipe or seed, what it left is not what it was, or the file
            cannot be written.
        RunError: where the file does not predict what the student predicted.
    """
    need_folder(file)
    chosen = _student(folder, result, student)
    name = _recipe(folder, chosen, recipe)
    seeds = len(chosen.runs[name])
    if not 0 <= seed < seeds:
        raise InputError.of(str(folder), f"must hold seed {seed}", f"seeds 0 to {seeds - 1}")
    out = folder / STUDENTS / job_name(student, name, seed)
    kept, known = read_kept(folder, student), chosen.runs[name][seed]
    facts = read_run_of(out, vm=student, recipe=name, seed=known.seed, weights=known.weights)
    model = student_model(out, kept.inputs)
    features = Features.unknown(kept.inputs, 1)
    if len(kept.rows_K):
        features = read_encoded(kept.encoders.encode(kept.rows))
    try:
        return export_model(
            model,
            kept.encoders,
            file,
            {
                "run": result.name,
                "student": student,
                "recipe": name,
                "serving": facts.serving,
                "seed": seed,
                "model": facts.spec.to_tree(),
                "data": kept.facts.stream,
                "weights": facts.weights,
                "last_window": kept.facts.last_window,
            },
            features=features,
            tasks=(kept.facts.label,),
            negatives_kept=kept.facts.negatives_kept,
            past=kept.past,
            proof=Proof(kept.rows, read_said(out, kept.rows_K)),
        )
    except ExportError as error:
        raise RunError(str(error)) from error


def _student(folder: Path, result: ExfmResult, name: str) -> StudentResult:
    if name not in result.students:
        hint = did_you_mean(name, list(result.students))
        raise InputError.of(str(folder), f"must have a student {name}", "none", hint)
    return result.students[name]


def _recipe(folder: Path, student: StudentResult, asked: str | None) -> str:
    """Its own where none is asked for."""
    name = student.own if asked is None else asked
    if name not in student.runs:
        must = f"{student.name} must have run the recipe {name}"
        raise InputError.of(str(folder), must, ", ".join(student.runs), did_you_mean(name, list(student.runs)))
    return name
