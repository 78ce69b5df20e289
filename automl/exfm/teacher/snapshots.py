"""Snapshots of the teacher: published atomically, chosen by age, refused where they are broken.

N rows, T tasks.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from automl.exfm.das.scorer import Snapshot
from automl.exfm.teacher.ensemble import Teacher
from automl.files.whole import sweep, whole_folder
from automl.stats.metrics import NESums

NOT_FINITE = "its predictions are not finite"
_FACTS = "snapshot.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What a snapshot must hold on the newest rows to be published.

    ne_rise_pct: by how much its NE may be worse than that of what served these rows. calibration: the sum of its
    predictions may be this many times too high or too low. Tasks with fewer than `positives` of either class are not
    judged.
    """

    ne_rise_pct: float = 5.0
    calibration: float = 2.0
    positives: int = 50


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest joined rows: logits of the candidate, and those that served when the rows were seen (NaN: none)."""

    labels_NT: NDArray[np.float32]
    candidate_NT: NDArray[np.float32]
    served_NT: NDArray[np.float32]


def refusal(recent: Recent, tasks: tuple[str, ...], guard: Guard) -> str | None:
    """Why a snapshot must not be published; None where it may.

    The candidate was trained on these rows and what served them was not, so that one which is worse there is broken.
    """
    if not np.isfinite(recent.candidate_NT).all():
        return NOT_FINITE
    for k, task in enumerate(tasks):
        labels_N = recent.labels_NT[:, k]
        known_N = np.isfinite(labels_N)
        served_N = recent.served_NT[:, k]
        positives = float(labels_N[known_N].sum())
        if min(positives, float(known_N.sum()) - positives) < guard.positives:
            continue
        sums = _sums(labels_N, recent.candidate_NT[:, k], known_N)
        if abs(math.log(sums.calibration)) > math.log(guard.calibration):
            return f"its calibration on {task} is {sums.calibration:.2f}"
        if np.isfinite(served_N[known_N]).all():
            rise = 100 * (sums.ne / _sums(labels_N, served_N, known_N).ne - 1)
            if rise > guard.ne_rise_pct:
                return f"its NE on {task} is {rise:.1f}% worse than that of what served these rows"
    return None


def _sums(labels_N: NDArray[np.float32], logits_N: NDArray[np.float32], known_N: NDArray[np.bool_]) -> NESums:
    return NESums.of(labels_N[known_N], expit(logits_N[known_N], dtype=np.float64))


class SnapshotStore:
    """A folder with one folder a snapshot; whoever finds one finds it whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        self._all = sorted(
            (_read(path.parent) for path in folder.glob(f"*/{_FACTS}")), key=lambda snapshot: snapshot.published_ns
        )

    def publish(self, teacher: Teacher, name: str, *, trained_to_ns: int, published_ns: int) -> Snapshot:
        """Write a snapshot; one of the same name, from before a restart, is the same and stays."""
        snapshot = Snapshot(name, self.folder / name, trained_to_ns, published_ns)
        if not snapshot.folder.exists():
            with whole_folder(snapshot.folder) as part:
                teacher.save(part)
                (part / _FACTS).write_text(json.dumps({"trained_to_ns": trained_to_ns, "published_ns": published_ns}))
            self._all.append(snapshot)
        return snapshot

    def newest(self, published_by_ns: int) -> Snapshot | None:
        """The newest that was published by then."""
        found = [snapshot for snapshot in self._all if snapshot.published_ns <= published_by_ns]
        return max(found, key=lambda snapshot: (snapshot.published_ns, snapshot.name), default=None)

    def prune(self, published_by_ns: int) -> None:
        """Remove all that are older than the newest which was published by then."""
        oldest = self.newest(published_by_ns)
        if oldest is None:
            return
        for snapshot in [one for one in self._all if one.published_ns < oldest.published_ns]:
            shutil.rmtree(snapshot.folder)
            self._all.remove(snapshot)


def _read(folder: Path) -> Snapshot:
    facts = json.loads((folder / _FACTS).read_text())
    return Snapshot(folder.name, folder, facts["trained_to_ns"], facts["published_ns"])
