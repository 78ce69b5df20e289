"""A model that was exported, loaded to serve: rows of a table in, probabilities out. Needs torch, NumPy, pyarrow.

N rows, B batch, F id fields, D dense features, T tasks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl.data.past.files import read_past
from automl.data.past.past import Past
from automl.data.store.encoder_files import read_served
from automl.data.store.encoders import Encoders, Rows
from automl.files.parts import hold_parts
from automl.ranking.features import Features, read_encoded
from automl.ranking.graph_inputs import Cut, graph_tensors
from automl.ranking.graphs import load_graph
from automl.ranking.lists import unknown_lists
from automl.ranking.narrow import Narrow
from automl.ranking.scoring import logits_of, probabilities_of
from automl.stats.metrics import undo_sampling
from search_spaces.errors import InputError, first_line

FORMAT, WITHOUT_DIGESTS = 2, 1  # the older one is read too
MODEL, FACTS = "model.pt2", "facts.json"


@dataclass(frozen=True, eq=False)
class Served:
    """An exported model with its encoders."""

    encoders: Encoders
    facts: Mapping[str, Any]
    graph: Callable[..., Tensor]  # ids (B, F) int32, dense (B, D) float32, events -> logits (B,) or (B, T)
    past: Past | None = None  # what rows that lack the features made of earlier rows get them from

    @property
    def tasks(self) -> tuple[str, ...]:
        """What is predicted, in the order of the columns of a prediction."""
        return tuple(self.facts["tasks"])

    def predict(self, table: Rows, name: str = "table") -> NDArray[np.float64]:
        """Probabilities (N,) of one task or (N, T) of several, corrected where the log kept a share of its negatives.

        Features that are made of earlier rows are those of the past, unless the table has one of them as a column. Rows
        of the table are each other's past; the past itself stays as it is.

        Raises:
            InputError: where the table lacks what the model reads, or its rows are not later than the past.
        """
        if self.past is not None and not self.brings_past(table.schema.names):
            table = self.past.with_features(table, name)
        return self.probabilities(read_encoded(self.encoders.encode(table, name)))

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """Which events of each sequence feature the model reads."""
        return tuple(Cut(**told) for told in self.facts.get("histories", ()))

    @property
    def past_names(self) -> tuple[str, ...]:
        """The columns that are made of earlier rows."""
        return self.encoders.past_columns

    def brings_past(self, columns: Sequence[str]) -> bool:
        """Whether a table of these columns has a feature that is made of earlier rows; it must then have all."""
        return any(name in columns for name in self.past_names)

    def with_past(self, past: Past, name: str = "past") -> Served:
        """The same model with a past, or with one that went on.

        Raises:
            InputError: where it is that of another model or log.
        """
        told = self.facts.get("past")
        if told is None:
            found = "one that was exported without its past" if self.past_names else "one that reads none of it"
            raise InputError.of(name, "must come with a model that reads what earlier rows tell", found)
        if told["fingerprint"] != past.fingerprint:
            must = f"must be the past of this model ({told['fingerprint']})"
            hint = "each export writes its own; it may go on, but not serve a model of another log or other features"
            raise InputError.of(name, must, past.fingerprint, hint)
        return replace(self, past=past)

    def advance(self, table: Rows, late: Rows | None = None, name: str = "table") -> Served:
        """The same model with the past that counts these rows too, with their labels, and the labels of earlier rows
        that were late. `served.past` holds it.

        Raises:
            InputError: where the model has no past, the table lacks what it counts, or rows are not later than it.
        """
        if self.past is None:
            raise InputError.of(name, "must be counted by a model with a past", "none", "load_served(file, past=...)")
        return replace(self, past=self.past.advanced([table], name, [] if late is None else [late]))

    def probabilities(self, features: Features) -> NDArray[np.float64]:
        """The same from encoded rows."""
        if not len(features):
            return np.zeros((0, len(self.tasks)) if len(self.tasks) > 1 else 0)
        learned = self.learned(features)
        kept = self.facts["negatives_kept"]
        return learned if kept is None else undo_sampling(learned, kept)

    def learned(self, features: Features) -> NDArray[np.float64]:
        """What the model learned of the log as it was sampled; of one row or more."""
        return probabilities_of(logits_of(lambda part: self.graph(*graph_tensors(part, self.cuts)), features.parts()))


def load_served(file: Path | str, past: Path | str | None = None) -> Served:
    """A model that export_model wrote; with the file of its past, which lies beside it as FILE.past.

    Raises:
        InputError: where a file holds none, or one of another version; where the past is that of another model.
    """
    try:
        with ZipFile(file) as held:
            facts = json.loads(held.read(FACTS))
            form = facts.get("format") if isinstance(facts, dict) else None
            if form not in (FORMAT, WITHOUT_DIGESTS):
                must = f"must be an exported model of format {FORMAT} or {WITHOUT_DIGESTS}"
                raise InputError.of(str(file), must, str(form))
            if form == FORMAT:
                hold_parts(held, FACTS, facts.get("parts"))
            facts = _shaped(facts)
            narrow = None if facts.get("numbers") is None else Narrow.of_json(facts["numbers"])
            served = Served(read_served(held), facts, load_graph(held.read(MODEL), narrow))
        _hold_fit(served)
    except InputError:
        raise
    except Exception as error:  # whatever the parts of it are
        raise InputError.of(str(file), "must be an exported model", first_line(error)) from error
    return served if past is None else served.with_past(read_past(past), str(past))


def _shaped(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts, where they have the shape that a model is served by.

    Raises:
        ValueError: naming what has another.
    """
    tasks, kept, past, about = (facts.get(key) for key in ("tasks", "negatives_kept", "past", "about"))
    features = about.get("features", {}) if isinstance(about, dict) else None
    sound = {
        "tasks": isinstance(tasks, list) and bool(tasks) and all(isinstance(task, str) for task in tasks),
        "negatives_kept": kept is None or (isinstance(kept, float | int) and 0 < kept <= 1),
        "past": past is None or (isinstance(past, dict) and isinstance(past.get("fingerprint"), str)),
        "about": isinstance(features, dict) and all(isinstance(found, dict) for found in features.values()),
    }
    for key, holds in sound.items():
        if not holds:
            raise ValueError(f"{FACTS} whose `{key}` is none")
    return facts


def _hold_fit(served: Served) -> None:
    """One row of which nothing is known, as the encoders give it, through the graph.

    Raises:
        ValueError: where the graph reads something else, or predicts another number of tasks.
    """
    encoders, tasks = served.encoders, len(served.tasks)
    lists_S = tuple(unknown_lists(1, 0, cut.timed, cut.actions) for cut in served.cuts)
    ids_BF, dense_BD = np.zeros((1, len(encoders.fields)), np.int32), np.zeros((1, len(encoders.dense)), np.float32)
    row = Features.of(ids_BF, dense_BD, lists_S)
    try:
        shape = served.learned(row).shape
    except Exception as error:  # torch raises what its parts do
        raise ValueError(f"{MODEL} that does not read what the encoders give: {first_line(error)}") from error
    if shape != ((1,) if tasks == 1 else (1, tasks)):
        raise ValueError(f"{MODEL} that predicts {shape[1] if len(shape) > 1 else 1} tasks, and {FACTS} with {tasks}")
