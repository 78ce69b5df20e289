"""An ExFM file and all that it points to, read and checked: what the run starts from.

N rows of the stream, V students.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from automl.exfm.columns import Columns
from automl.exfm.config import ExfmConfig, StudentConfig
from automl.exfm.das.places import need_place
from automl.exfm.handover import model_of, models_of
from automl.exfm.student.recipes import Recipe, recipe_of
from automl.files.passed import Passed, Told, unheard, untold
from automl.study.exfm_figures import NONE
from automl.study.file import gathering
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.model import ModelSpec
from search_spaces.source import Document, did_you_mean, read, validate

if TYPE_CHECKING:
    from automl.data.store.stream import EncodedStream
    from automl.data.tables.windows import Locate


@dataclass(frozen=True)
class Student:
    """A vertical model, bound to the stream. `part` is its name in the file, which a whole front shares."""

    name: str
    part: str
    spec: ModelSpec
    label: str
    task: int
    columns: Columns
    members_N: NDArray[np.bool_]  # rows that are its traffic
    negatives_kept: float | None
    recipes: tuple[Recipe, ...]  # none first


@dataclass(frozen=True)
class ExfmProblem:
    """What is streamed, who teaches and who learns."""

    file: Path
    folder: Path
    document: Document
    config: ExfmConfig
    stream: EncodedStream
    teacher: ModelSpec
    upgrade: ModelSpec | None  # the teacher that takes over
    teacher_columns: Columns
    students: tuple[Student, ...]

    @property
    def members_NV(self) -> NDArray[np.bool_]:  # noqa: N802
        return np.stack([student.members_N for student in self.students], 1)


def load_exfm(
    file: Path,
    folder: Path | None = None,
    passed: Passed = unheard,
    told: Told = untold,
) -> ExfmProblem:
    """Read an ExFM file and the models it names, and encode its stream (once: later calls map it).

    Raises:
        InputError: with every mistake that was found together.
    """
    return exfm_of(read(file), folder, passed, told)


def exfm_of(
    document: Document,
    folder: Path | None = None,
    passed: Passed = unheard,
    told: Told = untold,
) -> ExfmProblem:
    """`load_exfm` of a file that was read.

    Raises:
        InputError: as `load_exfm`.
    """
    file = Path(document.file)
    folder = folder or run_folder(file)
    mistakes: list[Mistake] = []
    with gathering(mistakes):
        need_place(folder)
    config: ExfmConfig | None = None
    with gathering(mistakes):
        config = validate(ExfmConfig, document)
    if config is None:
        raise InputError(mistakes)
    mistakes += _label_mistakes(config, document)
    teachers: dict[str, ModelSpec] = {}
    models: dict[str, Mapping[str, ModelSpec]] = {}
    upgrade = config.teacher.upgrade
    with gathering(mistakes):
        teachers["first"] = _teacher(config.teacher.model, file.parent, document.at("teacher", "model"))
    if upgrade is not None:
        with gathering(mistakes):
            teachers["next"] = _teacher(upgrade.model, file.parent, document.at("teacher", "upgrade", "model"))
    for name, part in config.students.items():
        with gathering(mistakes):
            models[name] = models_of(part.model, file.parent, document.at("students", name, "model"))
    if mistakes:
        raise InputError(mistakes)
    from automl.data.encode.stream import encode_stream

    stream = encode_stream(
        config.data,
        file.parent,
        folder / "data",
        where=lambda *path: document.at("data", *path),
        told=told,
        passed=passed,
    )
    if upgrade is not None and upgrade.window >= len(stream.windows):
        must = f"window must be less than the stream's {len(stream.windows)} windows"
        mistakes.append(Mistake(document.at("teacher", "upgrade", "window"), must, str(upgrade.window)))
    if config.score_from >= len(stream.windows):
        must = f"score_from must be less than the stream's {len(stream.windows)} windows"
        raise InputError([Mistake(document.at("score_from"), must, str(config.score_from))])
    with gathering(mistakes):
        columns = _teacher_columns(config, stream, document)
    students = []
    for name, part in config.students.items():
        with gathering(mistakes):
            students += [
                _student(name, suffix, part, spec, config, stream, document) for suffix, spec in models[name].items()
            ]
    if mistakes:
        raise InputError(mistakes)
    return ExfmProblem(
        file=file.absolute(),
        folder=folder.absolute(),
        document=document,
        config=config,
        stream=stream,
        teacher=teachers["first"],
        upgrade=teachers.get("next"),
        teacher_columns=columns,
        students=tuple(students),
    )


def run_folder(file: Path) -> Path:
    """Where a run lives: beside a file named exfm.yaml, else in a folder of the file's name."""
    return file.parent if file.name == "exfm.yaml" else file.parent / file.stem


def _label_mistakes(config: ExfmConfig, document: Document) -> list[Mistake]:
    labels = config.data.labels
    return [
        Mistake(
            document.at("students", name, "label"),
            "must be a label of data.labels",
            part.label,
            did_you_mean(part.label, labels),
        )
        for name, part in config.students.items()
        if part.label not in labels
    ]


def _teacher(name: str, base: Path, at: Position) -> ModelSpec:
    """Whatever models a teacher has one after the other, they read the same features."""
    spec = model_of(name, base, at)
    if spec.without:
        hint = f"teacher: {{without: [{', '.join(spec.without)}]}}, and a model without `features`"
        must = "a teacher's model must read all features that the teacher has"
        raise InputError([Mistake(at, must, f"one without {', '.join(spec.without)}", hint)])
    return spec


def _teacher_columns(config: ExfmConfig, stream: EncodedStream, document: Document) -> Columns:
    """All that the stream has but what the teacher is to do without."""
    without = config.teacher.without
    wrong = [name for name in without if name not in (*stream.fields, *stream.dense)]
    if wrong:
        must = "without must name features of the data"
        raise InputError([Mistake(document.at("teacher", "without"), must, ", ".join(wrong))])
    fields = [name for name in stream.fields if name not in without]
    if not fields:
        must = "without must leave the teacher a categorical feature"
        raise InputError([Mistake(document.at("teacher", "without"), must, "none")])
    dense = [name for name in stream.dense if name not in without]
    return Columns.of(stream.columns(fields), stream.dense_columns(dense))


def _student(
    name: str,
    suffix: str,
    part: StudentConfig,
    spec: ModelSpec,
    config: ExfmConfig,
    stream: EncodedStream,
    document: Document,
) -> Student:
    def at(*path: str | int) -> Position:
        return document.at("students", name, *path)

    columns = _features(part, config, stream, at)
    columns, spec = _read_by(spec, columns, stream, at("model"))
    members_N = stream.matches(part.where, _inside(at, "where"))
    task = stream.tasks.index(part.label)
    labels_N = stream.labels_NT[stream.windows[config.score_from].rows.start :, task]
    scored = labels_N[members_N[stream.windows[config.score_from].rows.start :] & np.isfinite(labels_N)]
    if len(np.unique(scored)) < 2:
        must = f"the scored windows must hold both classes of {part.label} for {name}"
        raise InputError([Mistake(at("label"), must, f"{len(scored)} rows of one class")])
    _check_arrivals(name, part.label, stream, members_N, at("label"))
    asked = [recipe_of(NONE), recipe_of(part.distill), *(recipe_of(value) for value in config.compare)]
    recipes = {recipe.name: recipe for recipe in asked}
    if spec.distill is not None and part.distill == "auto":
        own = Recipe("own", spec.distill)
        recipes[own.name] = own
    return Student(
        name=f"{name}{suffix}",
        part=name,
        spec=spec,
        label=part.label,
        task=task,
        columns=columns,
        members_N=members_N,
        negatives_kept=part.negatives_kept,
        recipes=tuple(recipes.values()),
    )


def _read_by(spec: ModelSpec, columns: Columns, stream: EncodedStream, at: Position) -> tuple[Columns, ModelSpec]:
    """Of a student's features those that its model reads, and the model that reads all of these."""
    unknown = [name for name in spec.without if name not in (*stream.fields, *stream.dense)]
    if unknown:
        hint = did_you_mean(unknown[0], [*stream.fields, *stream.dense])
        must = "a model's `features` must be features of the data"
        raise InputError([Mistake(at, must, ", ".join(unknown), hint)])
    fields = [name for k in columns.fields if (name := stream.fields[k]) not in spec.without]
    dense = [name for k in columns.dense if (name := stream.dense[k]) not in spec.without]
    if not fields:
        raise InputError([Mistake(at, "a model must read a categorical feature of its student", "none")])
    return Columns.of(stream.columns(fields), stream.dense_columns(dense)), replace(spec, without=())


def _check_arrivals(
    name: str, label: str, stream: EncodedStream, members_N: NDArray[np.bool_], position: Position
) -> None:
    """A student learns from labels as they arrive: what arrives while the last window is scored comes too late."""
    from automl.data.columns.times import NEVER  # with pyarrow: a mistake of the file is told before it is loaded

    task, end_ns = stream.tasks.index(label), stream.windows[-1].start_ns
    labels_N, arrivals_N = stream.labels_NT[members_N, task], stream.arrivals_NT[members_N, task]
    known_N = np.isfinite(labels_N)
    early_N = known_N & (arrivals_N < end_ns)
    if len(np.unique(labels_N[early_N])) == 2:
        return
    must = f"labels {label} of both classes must arrive for {name} before the last window begins"
    never, late = int((arrivals_N[known_N] == NEVER).sum()), int((arrivals_N[known_N] >= end_ns).sum())
    found = f"{early_N.sum():,} that do, {late - never:,} later and {never:,} never"
    hint = "data.labels says when each is known: `delay`, or the column in `arrives`"
    raise InputError([Mistake(position, must, found, hint)])


def _inside(at: Locate, key: str) -> Locate:
    def inside(*path: str | int) -> Position:
        return at(key, *path)

    return inside


def _features(part: StudentConfig, config: ExfmConfig, stream: EncodedStream, at: Locate) -> Columns:
    """Places of the student's features; all but the counters where it names none."""
    if part.features is None:
        return Columns.of(stream.columns(), stream.dense_columns(list(config.data.features.dense)))
    known = [*stream.fields, *stream.dense]
    wrong = [name for name in part.features if name not in known]
    if wrong:
        must = "features must be features of the data"
        raise InputError([Mistake(at("features"), must, ", ".join(wrong), "name them under data.features first")])
    fields = [name for name in part.features if name in stream.fields]
    if not fields:
        raise InputError([Mistake(at("features"), "features must name at least one categorical feature", "none")])
    dense = [name for name in part.features if name in stream.dense]
    return Columns.of(stream.columns(fields), stream.dense_columns(dense))
