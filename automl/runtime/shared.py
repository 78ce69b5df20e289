"""Whether the machines of a cluster see a folder of the driver's: asked of each, before work begins that needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from automl.runtime.lock import HOLDER
from automl.runtime.nodes import nodes, on, own_node
from search_spaces.errors import InputError

_ANSWER_S = 120.0  # of a machine that has to start a process first

Said = Sequence[tuple[str, str | None]]  # name of a machine, and the file's text there


def need_shared(folder: Path, look: Callable[[Path], Said] | None = None) -> None:
    """The folder, which this process holds, must be the same one on all machines that run work; Ray must be up.

    Raises:
        InputError: naming those that do not see it.
    """
    file = folder.absolute() / HOLDER
    here = _text(file)
    blind = sorted({machine for machine, text in (look or _look)(file) if text != here})
    if blind:
        must = "must be seen by all machines of the cluster"
        hint = "put it on a file system that they share, or leave --address out"
        raise InputError.of(str(folder), must, f"none of it on {', '.join(blind)}", hint)


def _look(file: Path) -> Said:
    """The file as the other machines have it."""
    import ray

    here = own_node()
    others = [node for node in nodes() if node["Alive"] and node["NodeID"] != here and node["Resources"].get("CPU")]
    said = ray.get([on(node["NodeID"], _text).remote(file) for node in others], timeout=_ANSWER_S)
    return [(str(node["NodeManagerHostname"]), text) for node, text in zip(others, said, strict=True)]


def _text(file: Path) -> str | None:
    try:
        return file.read_text()
    except OSError:
        return None
