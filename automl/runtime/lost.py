"""What became of a trial whose process ended without a word: its own doing, or its machine was lost under it.

A trial that exits, crashes or is killed for its memory has failed. One whose machine was lost has not. Ray's books tell
them apart, if not at once: a node that vanishes is held to be alive until it has missed its heartbeats, some 12 s. Of a
machine that goes down step by step they say that the process went first: so its node is asked, too.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from automl.runtime.carried import notes_folder
from automl.runtime.head import answers
from automl.runtime.limits import Words, read_words
from automl.runtime.nodes import Node, address_of, nodes, on, own_node

RUNS = 3  # of a job, each on a machine that was lost, before it is given up
PATIENCE_S = 60.0  # with Ray's books
WORDS_S = 20.0  # with a machine that is asked for the last words of a worker
STEP_S = 1.0  # between the end of a process and that of its node, where a machine goes down


class Fate(Enum):
    """OPEN: not known yet. OWN: the process ended by itself. NODE: it was lost with its machine, or cut off from it."""

    OPEN = "open"
    OWN = "own"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Death:
    """`node` is Ray's name of the machine where it ran, empty where that is not known."""

    fate: Fate
    node: str = ""


def death_of(actor: str | None) -> Death:
    """What is known of the end of a process, by the name of its actor (hexadecimal)."""
    from ray._private import state  # the actor table has no public name; its fields are those of Ray's protocol

    death = read_death({} if actor is None else state.actors(actor))
    if death.fate is not Fate.OWN:
        return death
    return Death(Fate.NODE, death.node) if _is_gone(death.node, nodes()) else death


def _is_gone(node: str, known: Sequence[Node]) -> bool:
    """Whether a node is known to be dead, or does not answer."""
    found = [one for one in known if one["NodeID"] == node]
    return any(not (one["Alive"] and answers(address_of(one))) for one in found)


def last_words(scratch: Path, job: str, node: str) -> Words:
    """What the worker of a job has left on the machine where it ran; `scratch` is the run's folder on the driver's."""
    import ray

    if not node or node == own_node():
        return read_words(scratch, job)
    asked = on(node, _words_there).remote(scratch.name, job)
    try:
        found: Words = ray.get(asked, timeout=WORDS_S)
    except ray.exceptions.RayError:  # the machine has gone in between, or does not answer
        return Words(None, timeout=False)
    return found


def _words_there(run: str, job: str) -> Words:
    return read_words(notes_folder(run), job)


def read_death(entry: dict[str, Any]) -> Death:
    """An entry of the table; empty where Ray knows nothing of the process, which then never ran."""
    if not entry:
        return Death(Fate.OWN)
    node = str(entry["Address"]["NodeID"] or "")
    if entry["State"] != "DEAD":
        return Death(Fate.OPEN, node)
    cause = entry["DeathCause"]
    if cause.WhichOneof("context") != "actor_died_error_context":  # raised while it began, or out of memory
        return Death(Fate.OWN, node)
    context = cause.actor_died_error_context
    own = {context.UNSPECIFIED, context.WORKER_DIED}
    return Death(Fate.OWN if context.reason in own else Fate.NODE, node)


def actor_of(trial: Any) -> str | None:
    """The name of the actor that one of Tune's trials has lost; None where what it was lost to names none."""
    file = trial.pickled_error_file  # where the driver has it; Tune's own reader looks in its storage
    if file is None or not Path(file).exists():
        return None
    found = getattr(pickle.loads(Path(file).read_bytes()), "actor_id", None)  # noqa: S301  # written by this process
    return None if found is None else str(found)
