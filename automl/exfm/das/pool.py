"""A pool of Ray actors that keep the teacher loaded from tick to tick, and swap it when a tick names another snapshot.

Not Ray Data: its map_batches with an actor class starts the actors anew for every execution. On one core a window of
16,384 rows took it 8 s and this pool .44 s, one of 65,536 rows 4.9 s and .99 s (experiments/das_rate.py).

Ray is imported when a pool is made, in a running cluster (automl.runtime.cluster sets what Ray reads at import).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from automl.exfm.das.scorer import Load, Scorer, Scores, Snapshot, Stream, compact, score_rows
from automl.files.passed import Told, untold
from automl.runtime.errors import RunError
from automl.runtime.interrupt import deferred_interrupt
from automl.runtime.jobs import Resources, room_words

START_SECONDS = 3.0  # of an actor: a fresh process, its imports, its model
HEARD_S = 0.2  # Ctrl-C, while actors score
PATIENCE_S = 5.0  # without an answer, before it is asked why
MAX_LOSSES = 3  # of one chunk, before it is held to be what kills its actors


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many actors, and how work is cut for them.

    chunk_rows is a call, batch_rows a forward pass in it; in_flight calls wait at each actor, and no more.
    """

    min_actors: int = 1
    max_actors: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    chunk_rows: int = 16384
    batch_rows: int = 4096
    in_flight: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.min_actors <= self.max_actors:
            raise ValueError(f"must hold 1 <= min_actors <= max_actors, but got {self.min_actors}, {self.max_actors}")
        if min(self.chunk_rows, self.batch_rows, self.in_flight) < 1:
            raise ValueError("chunk_rows, batch_rows and in_flight must be positive")


@dataclass(slots=True)
class _Chunk:
    start: int
    rows_N: NDArray[np.int64]
    losses: int = 0


class _Call(Protocol):
    """A method of an actor; its answer comes later."""

    def remote(self, snapshot: Snapshot, rows: slice | NDArray[np.int64]) -> Hashable: ...


class _Ready(Protocol):
    """Answered when the actor is up."""

    def remote(self) -> Hashable: ...


class _Actor(Protocol):
    """Ray's handle of a ScoringActor."""

    @property
    def score(self) -> _Call: ...

    @property
    def __ray_ready__(self) -> _Ready: ...


_Busy = dict[Hashable, tuple[_Actor, _Chunk]]  # by the reference of the answer that is to come


class ScoringActor:
    """Lives in a process of its own; reads the stream's files there, so that only row numbers and logits travel."""

    def __init__(self, stream: Stream, load: Load, batch_rows: int) -> None:
        self._stream, self._load, self._batch_rows = stream, load, batch_rows
        self._loaded: tuple[Snapshot, Scorer] | None = None

    def score(self, snapshot: Snapshot, rows: slice | NDArray[np.int64]) -> tuple[NDArray[np.float32], float]:
        """Logits of rows, and the CPU seconds that they took."""
        start = time.process_time()
        if self._loaded is None or self._loaded[0] != snapshot:
            self._loaded = None  # the old model goes before the new one comes
            self._loaded = (snapshot, self._load(snapshot.folder))
        logits_NT = score_rows(self._loaded[1], self._stream, rows, self._batch_rows)
        return logits_NT, time.process_time() - start


class ScoringPool:
    """Actors that score rows of a stream. A lost actor is replaced, and what it had in hand is scored again.

    Raises:
        RunError: where the cluster has no room for the smallest pool.
    """

    def __init__(self, stream: Stream, load: Load, size: PoolSize | None = None) -> None:
        import ray

        self._ray: Any = ray  # its types know no actor of a class that is made at run time
        self._size = size or PoolSize()
        has = self._ray.cluster_resources()
        for name, wanted in (("CPU", self._size.cpus), ("GPU", self._size.gpus)):
            if wanted * self._size.min_actors > has.get(name, 0.0):
                raise RunError(
                    f"{self._size.min_actors} scoring actors need {wanted:g} {name} each, "
                    f"but the cluster has {has.get(name, 0.0):g}"
                )
        self._class = self._ray.remote(num_cpus=self._size.cpus, num_gpus=self._size.gpus)(ScoringActor)
        self._arguments = (self._ray.put(stream), load, self._size.batch_rows)
        self.told: Told = untold  # what is waited for; nothing ("") when it has come
        self._chunk_seconds = 0.0  # of the last call, at one actor
        self._up: dict[int, Hashable] = {}  # by actor: answered when it has started
        self._actors: list[_Actor] = [self._start() for _ in range(self._size.min_actors)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def actors(self) -> int:
        """Actors at the moment."""
        return len(self._actors)

    def score(self, rows_N: NDArray[np.int64], snapshot: Snapshot) -> Scores:
        """Logits of rows, in their order.

        Raises:
            RunError: where the same rows cost actor after actor.
        """
        step = self._size.chunk_rows
        chunks = deque(_Chunk(start, rows_N[start : start + step]) for start in range(0, len(rows_N), step))
        self._resize(len(chunks))
        parts: dict[int, NDArray[np.float32]] = {}
        busy: _Busy = {}
        calls, core_seconds, longest = 0, 0.0, 0.0
        while chunks or busy:
            calls += self._submit(chunks, busy, snapshot)
            ready = self._ready(busy)
            actor, chunk = busy.pop(ready)
            try:
                parts[chunk.start], seconds = self._ray.get(ready)
            except self._ray.exceptions.RayActorError as lost:
                self._replace(actor, [chunk, *_taken_from(actor, busy)], chunks, lost)
                continue
            core_seconds += seconds
            longest = max(longest, seconds) if len(chunk.rows_N) == step else longest
        self._chunk_seconds = longest or self._chunk_seconds
        return Scores(np.concatenate([parts[start] for start in sorted(parts)]), calls, core_seconds)

    def _ready(self, busy: _Busy) -> Hashable:
        """An answer that has come. Raises KeyboardInterrupt by hand: nothing is being written meanwhile."""
        begin, waiting = time.monotonic(), False
        with deferred_interrupt() as stop:
            while not (ready := self._answers(busy, HEARD_S)):
                stop.check()
                if not waiting and time.monotonic() - begin > PATIENCE_S and (words := self._wanting()):
                    waiting = True
                    self.told(words)
        if waiting:
            self.told("")
        return ready[0]

    def _answers(self, awaited: Iterable[Hashable], patience: float) -> list[Hashable]:
        """One of them, if it comes in that time."""
        found: list[Hashable] = self._ray.wait(list(awaited), num_returns=1, timeout=patience)[0]
        return found

    def _wanting(self) -> str:
        """What is waited for, if no actor is up for want of room."""
        if self._answers([self._up[id(actor)] for actor in self._actors], 0.0):
            return ""
        free = self._ray.available_resources()
        needs = Resources(workers=1, cpu=self._size.cpus, gpu=self._size.gpus).needs()
        return room_words(needs, free) if any(need > free.get(name, 0.0) for name, need in needs.items()) else ""

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []

    def _submit(self, chunks: deque[_Chunk], busy: _Busy, snapshot: Snapshot) -> int:
        """Hand out chunks, breadth first, until every actor has as many as it may; rows handed out."""
        rows = 0
        held = {id(actor): 0 for actor in self._actors}
        for actor, _ in busy.values():
            held[id(actor)] += 1
        while chunks:
            actor = min(self._actors, key=lambda one: held[id(one)])
            if held[id(actor)] >= self._size.in_flight:
                break
            chunk = chunks.popleft()
            busy[actor.score.remote(snapshot, compact(chunk.rows_N))] = (actor, chunk)
            held[id(actor)] += 1
            rows += len(chunk.rows_N)
        return rows

    def _replace(self, actor: _Actor, lost: list[_Chunk], chunks: deque[_Chunk], error: Exception) -> None:
        """Another actor in place of a lost one. Only the first of its chunks was being scored when it ended."""
        lost[0].losses += 1
        if lost[0].losses >= MAX_LOSSES:
            raise RunError(
                f"scoring ended {MAX_LOSSES} processes at rows {lost[0].rows_N[0]} to {lost[0].rows_N[-1]}: "
                f"{str(error).splitlines()[0]}"
            ) from error
        self._ray.kill(actor)  # also one that only seems lost: its late answers are not wanted
        self._actors = [self._start() if one is actor else one for one in self._actors]
        chunks.extendleft(reversed(lost))

    def _resize(self, chunks: int) -> None:
        wanted = wanted_actors(len(self._actors), chunks, self._chunk_seconds, self._size)
        while len(self._actors) > wanted:
            self._ray.kill(self._actors.pop())
        free = self._ray.available_resources() if len(self._actors) < wanted else {}
        rooms = [
            math.floor(free.get(name, 0.0) / each)
            for name, each in (("CPU", self._size.cpus), ("GPU", self._size.gpus))
            if each
        ]
        for _ in range(min([wanted - len(self._actors), *rooms])):
            self._actors.append(self._start())

    def _start(self) -> _Actor:
        actor: _Actor = self._class.remote(*self._arguments)
        self._up[id(actor)] = actor.__ray_ready__.remote()
        return actor


def wanted_actors(now: int, chunks: int, chunk_seconds: float, size: PoolSize) -> int:
    """As many as each have more to do than it takes to start one; one less at a time where that is fewer."""
    wanted = math.ceil(chunks * chunk_seconds / START_SECONDS)
    return min(max(wanted, now - 1, size.min_actors), size.max_actors)


def _taken_from(actor: _Actor, busy: _Busy) -> list[_Chunk]:
    """Chunks that wait at an actor, in their order; they are not busy any more."""
    found = [reference for reference, (one, _) in busy.items() if one is actor]
    return [busy.pop(reference)[1] for reference in found]
