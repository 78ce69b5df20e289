"""`automl init`: a commented study to edit, from a template or drafted from the columns of a log."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

from automl.data.drafting import Draft, draft
from automl.data.simulator import simulate
from search_spaces.errors import InputError

FILES = ("study.yaml", "space.yaml", "baseline.yaml")


def init_study(folder: Path, data: Path | None, template: str, label: str | None = None) -> list[str]:
    """Write a study into a folder; what was written and noticed, as lines.

    Raises:
        InputError: where a file would be overwritten, or the log cannot be read.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise InputError.of(str(folder), "must not hold a study", ", ".join(there), "choose another folder")
    texts = {name: template_text(template, name) for name in FILES}
    lines = []
    if data is not None:
        found = draft(data, label=label)
        texts["study.yaml"] = drafted(texts["study.yaml"], found, data, folder)
        lines += found.lines()
    else:
        simulate(folder / "log")
        lines.append(f"simulated {folder / 'log'}: put your own log in its place")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [
        *lines,
        "wrote " + ", ".join(str(folder / name) for name in FILES),
        f"next: automl check {folder / 'study.yaml'}",
    ]


def template_text(template: str, name: str) -> str:
    """A file of a template."""
    return (resources.files("automl.templates") / template / name).read_text(encoding="utf-8")


def drafted(text: str, found: Draft, data: Path, folder: Path) -> str:
    """The template with its `data:` part replaced by what was found in the log."""
    head, _, rest = text.partition("data:\n")
    _, _, tail = rest.partition("\nspace:")
    name = json.dumps(folder.resolve().name or "study")
    named = re.sub(r"(?m)^name: .*$", lambda _: f"name: {name}", head)
    return f"{named}{found.yaml(data.absolute())}\n\nspace:{tail}"
