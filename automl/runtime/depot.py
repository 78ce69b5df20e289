"""The driver's files for workers on other machines, which need have no file system in common with it.

A depot is an actor beside the driver. Workers elsewhere fetch from it, in pieces, what their jobs read, once for each
machine, and bring what their jobs write. Only pieces in flight pass through Ray's object stores: a log may be larger
than they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from automl.runtime.nodes import on, own_node

PIECE_BYTES = 16 << 20


class Depot:
    """What the actor does. Paths are the driver's. It keeps nothing, and may be started anew at any time."""

    def listing(self, path: str) -> tuple[str, list[tuple[str, int]]]:
        """A key for the content of a file or folder, and its files with their bytes; names are relative to the folder.

        Raises:
            FileNotFoundError: where nothing is there.
        """
        root = Path(path)
        found = [root] if root.is_file() else sorted(file for file in root.rglob("*") if file.is_file())
        if not found:
            raise FileNotFoundError(path)
        facts = [(file.relative_to(root.parent).as_posix(), file.stat()) for file in found]
        text = json.dumps([path, *((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts)])
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        return key, [(name, stat.st_size) for name, stat in facts]

    def piece(self, path: str, name: str, start: int) -> bytes:
        """PIECE_BYTES of one of its files, or what is left of it."""
        with (Path(path).parent / name).open("rb") as file:
            file.seek(start)
            return file.read(PIECE_BYTES)

    def take(self, path: str, sender: str, start: int, data: bytes, last: bool) -> None:
        """A piece of a file that a job has written; with the last one the file is there, as a whole."""
        file = Path(path)
        part = file.with_name(f"{file.name}.{sender}.part")
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("r+b" if start else "wb") as out:
            out.seek(start)
            out.write(data)
        if last:
            part.replace(file)


class Pieces(Protocol):
    """A depot as a worker has it: every call waits for its answer."""

    def listing(self, path: str) -> tuple[str, list[tuple[str, int]]]: ...

    def piece(self, path: str, name: str, start: int) -> bytes: ...

    def take(self, path: str, sender: str, start: int, data: bytes, last: bool) -> None: ...


class FarDepot:
    """The depot of that name, in whichever process of the cluster it is."""

    def __init__(self, name: str) -> None:
        import ray

        self._ray: Any = ray
        self._actor: Any = ray.get_actor(name)

    def listing(self, path: str) -> tuple[str, list[tuple[str, int]]]:
        found: tuple[str, list[tuple[str, int]]] = self._ray.get(self._actor.listing.remote(path))
        return found

    def piece(self, path: str, name: str, start: int) -> bytes:
        found: bytes = self._ray.get(self._actor.piece.remote(path, name, start))
        return found

    def take(self, path: str, sender: str, start: int, data: bytes, last: bool) -> None:
        self._ray.get(self._actor.take.remote(path, sender, start, data, last))


@contextmanager
def open_depot(name: str) -> Iterator[None]:
    """A depot of that name on this machine, for the length of the block; Ray must be up."""
    import ray

    held = on(own_node(), Depot, name=name, max_restarts=-1, max_task_retries=-1).remote()
    try:
        yield
    finally:
        ray.kill(held)
