"""The teacher's pass over the stream: score what comes, join what has arrived, learn from it, publish. Once, in order.

N rows, T tasks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from automl.data.store.stream import EncodedStream
from automl.exfm.das.reader import Augmented
from automl.exfm.das.system import Das
from automl.exfm.das.ticks import Tick
from automl.exfm.teacher.ensemble import Teacher
from automl.exfm.teacher.snapshots import NOT_FINITE, Guard, Recent, SnapshotStore, refusal
from automl.files.whole import whole_file
from automl.ranking.place import busy_seconds
from automl.study.exfm_results import Refusal
from automl.study.plain import Codec

_RECENT_ROWS = 1000
_STATE, _PROGRESS = "state.pt", "progress.json"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """From a window on another teacher scores. It is built then, and first learns all that was joined before."""

    window: int
    build: Callable[[], Teacher]


@dataclass(slots=True)
class _Progress:
    """Where the teacher is: kept beside its state, at the end of every window."""

    ticks: int = 0
    upgrades: int = 0
    trained_to_ns: int = -1
    rows: int = 0
    train_seconds: float = 0.0
    refusals: list[Refusal] = field(default_factory=list)
    state: str = ""  # name of the file


_CODEC = Codec(_Progress)


class Teaching:
    """The loop over ticks. Killed at any moment, the next one goes on: what is committed is not scored again, and what
    the teacher had learnt since the end of the last window it learns again, to the same bits."""

    def __init__(
        self,
        folder: Path,
        stream: EncodedStream,
        das: Das,
        teacher: Teacher,
        *,
        age_ns: int = 0,
        guard: Guard,
        upgrades: Sequence[Upgrade] = (),
        timer: Callable[[], float] = busy_seconds,
    ) -> None:
        self._folder, self._stream, self._das, self._teacher = folder, stream, das, teacher
        self._age_ns, self._guard, self._upgrades, self._timer = age_ns, guard, tuple(upgrades), timer
        self._store = SnapshotStore(folder / "snapshots")
        self._progress = _Progress()
        self._recent: list[Augmented] = []  # what was joined last, tick by tick
        self._restore()
        self._good = self._teacher.state()

    @property
    def teacher(self) -> Teacher:
        """As it is now."""
        return self._teacher

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(self._progress.refusals)

    @property
    def train_seconds(self) -> float:
        """Core seconds of training."""
        return self._progress.train_seconds

    def run(self, ticks: tuple[Tick, ...]) -> Iterator[Tick]:
        """Go through the ticks that are left; yields each that is done."""
        for tick in ticks[self._progress.ticks :]:
            self._upgrade(tick)
            self._das.advance(tick, self._store.newest(tick.start_ns - self._age_ns))
            self._learn(tick)
            last_of_window = tick.index + 1 == len(ticks) or ticks[tick.index + 1].window != tick.window
            self._progress.ticks = tick.index + 1
            if last_of_window:
                self._recent.clear()  # so that a run that starts again here judges as this one does
                self._save()
                self._store.prune(tick.start_ns - self._age_ns)
            yield tick

    def _upgrade(self, tick: Tick) -> None:
        """Change the teacher where its window begins; the students notice nothing but better predictions."""
        if self._progress.upgrades == len(self._upgrades):
            return
        upgrade = self._upgrades[self._progress.upgrades]
        if tick.window < upgrade.window:
            return
        start = self._timer()
        self._teacher = upgrade.build()
        for number, window in enumerate(self._stream.windows[: tick.window]):
            self._teach(self._das.read(window.name), -1 - number)
        self._progress.upgrades += 1
        self._good = self._teacher.state()
        self._store.publish(
            self._teacher,
            self._name(tick.index - 1),
            trained_to_ns=self._progress.trained_to_ns,
            published_ns=tick.start_ns,
        )
        self._progress.train_seconds += self._timer() - start

    def _name(self, tick: int) -> str:
        """Of the snapshot at the end of a tick; of two that were published at one moment the later teacher's counts."""
        return f"{self._progress.upgrades}-tick-{tick:06d}"

    def _learn(self, tick: Tick) -> None:
        start = self._timer()
        joined = self._das.read(tick)
        if len(joined):
            self._teach(joined, tick.index)
            self._progress.rows += len(joined)
            newest = int(joined.arrived_N.max())
            self._remember(joined)
            self._publish(tick, max(newest, self._progress.trained_to_ns))
        self._progress.train_seconds += self._timer() - start

    def _teach(self, joined: Augmented, order: int) -> None:
        self._teacher.learn(self._stream, joined.rows_N, joined.labels_NT, order)

    def _publish(self, tick: Tick, trained_to_ns: int) -> None:
        reason = self._refusal()
        if reason is not None:
            self._progress.refusals.append(Refusal(tick.index, reason))
            if reason == NOT_FINITE or self._progress.trained_to_ns >= 0:
                self._teacher.restore(self._good)  # else nothing has served yet, and it learns on
            return
        self._progress.trained_to_ns = trained_to_ns
        self._good = self._teacher.state()
        self._store.publish(
            self._teacher, self._name(tick.index), trained_to_ns=trained_to_ns, published_ns=tick.end_ns
        )

    def _refusal(self) -> str | None:
        rows_N = np.concatenate([part.rows_N for part in self._recent])[-_RECENT_ROWS:]
        recent = Recent(
            labels_NT=np.concatenate([part.labels_NT for part in self._recent])[-_RECENT_ROWS:],
            candidate_NT=self._teacher.logits(self._stream, rows_N),
            served_NT=np.concatenate([part.logits_NT for part in self._recent])[-_RECENT_ROWS:],
        )
        return refusal(recent, self._das.tasks, self._guard)

    def _remember(self, joined: Augmented) -> None:
        self._recent.append(joined)
        while sum(map(len, self._recent[1:])) >= _RECENT_ROWS:
            self._recent.pop(0)

    def _save(self) -> None:
        """State first, then the word that it is whole."""
        home = self._folder / "teacher"
        home.mkdir(parents=True, exist_ok=True)
        name = f"{self._progress.ticks:06d}-{_STATE}"
        with whole_file(home / name) as part:
            torch.save(self._teacher.state(), part)
        self._progress.state = name
        with whole_file(home / _PROGRESS) as part:
            part.write_text(json.dumps(_CODEC.plain(self._progress)))
        for left in home.glob(f"*{_STATE}"):
            if left.name != name:
                left.unlink()

    def _restore(self) -> None:
        file = self._folder / "teacher" / _PROGRESS
        if not file.exists():
            return
        self._progress = _CODEC.read(file)
        state = torch.load(file.with_name(self._progress.state), weights_only=True)
        if self._progress.upgrades:
            self._teacher = self._upgrades[self._progress.upgrades - 1].build()
        self._teacher.restore(state)
