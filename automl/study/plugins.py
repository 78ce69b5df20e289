"""Plug-ins of a study: what they add to the tables of strategies and trainings. Blocks: search_spaces/plugins.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping

from automl.study.config import STRATEGIES, TRAININGS
from search_spaces import plugins
from search_spaces.errors import InputError, Mistake
from search_spaces.source import Document


def plug_in(document: Document) -> None:
    """Load the plug-ins that a study file names.

    Raises:
        InputError: at the place that names it, for a file that does not load or adds a name that is taken.
    """
    plugins.load_plugins(document)
    _adopt()


def plug_in_files(files: Iterable[str]) -> None:
    """Load the plug-ins that a study's record names.

    Raises:
        InputError: as plug_in; the place is the file itself.
    """
    plugins.load_files(files)
    _adopt()


def files() -> tuple[str, ...]:
    """The plug-ins of this process: what a worker must know to read its models."""
    return tuple(digests())


def digests() -> dict[str, str]:
    """The plug-ins of this process with their content: a study goes on with the code that it was started with."""
    return {str(plugged.file): plugged.digest for plugged in plugins.loaded()}


def changed(known: Mapping[str, str]) -> list[str]:
    """Of plug-ins by file, each with a digest of what it held ("": not known): those whose content is another now."""
    now = digests()
    return [file for file, digest in known.items() if digest and now.get(file, digest) != digest]


def _adopt() -> None:
    """Add what the loaded plug-ins name to the tables; those that were added before stay as they are."""
    refused = [(plugged, found) for plugged in plugins.loaded() if (found := list(_taken(plugged)))]
    for plugged, _ in refused:
        plugins.unload(plugged)
    if refused:
        raise InputError(mistake for _, found in refused for mistake in found)
    for plugged in plugins.loaded():
        STRATEGIES.update(plugged.adds.strategies)
        TRAININGS.update(plugged.adds.trainings)


def _taken(plugged: plugins.Plugged) -> Iterator[Mistake]:
    pairs: tuple[tuple[str, MutableMapping[str, str], dict[str, str]], ...] = (
        ("strategy", STRATEGIES, plugged.adds.strategies),
        ("training", TRAININGS, plugged.adds.trainings),
    )
    for kind, table, added in pairs:
        for name, function in added.items():
            if table.get(name, function) != function:
                must = f"plug-in {plugged.file.name}: the {kind} `{name}` must have a name of its own"
                yield Mistake(plugged.position, must, "one that is taken")
