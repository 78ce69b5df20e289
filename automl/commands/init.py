"""`automl init`: a commented study or ExFM run to edit, from a template; a study also drafted from a log's columns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from automl.files.passed import Passed, unheard
from automl.files.whole import whole_file
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from automl.data.draft.drafting import Draft

FILES = ("study.yaml", "space.yaml", "baseline.yaml")
EXFM_FILES = ("exfm.yaml", "teacher.yaml", "student.yaml", "student-convert.yaml")
_LEAST_SECONDS, _LEAST_GIB = 300.0, 4
_SECONDS_A_VALUE = 4e-5  # of a core, 1e-6 of the baselines and 5e-6 of the slowest tenth; and others may use the cores
_BYTES_AN_ID = 100  # where a tenth of all ids differ: rows of 64 numbers, their mean, counts


def init_study(
    folder: Path, data: Path | None, template: str, label: str | None = None, passed: Passed = unheard
) -> list[str]:
    """Write a study into a folder; what was written and noticed, as lines.

    Raises:
        InputError: where a file would be overwritten, or the log cannot be read.
    """
    _check_free(folder, FILES, "a study")
    texts = {name: template_text(template, name) for name in FILES}
    lines = []
    if data is not None:
        from automl.data.draft.drafting import draft

        found = draft(data, label=label, passed=passed)
        texts["study.yaml"] = drafted(texts["study.yaml"], found, data, folder)
        lines += found.lines()
        lines.append(f"{folder / 'baseline.yaml'} is a draft: put the model that you ship in its place")
    else:
        template_log(folder / "log")
        lines.append(f"simulated {folder / 'log'}: put your own log in its place")
    return [*lines, *_written(folder, texts)]


def init_exfm(folder: Path) -> list[str]:
    """Write an ExFM run with its models and a simulated stream into a folder; what was written, as lines.

    Raises:
        InputError: where a file would be overwritten.
    """
    _check_free(folder, EXFM_FILES, "an ExFM run")
    template_stream(folder / "log")
    texts = {name: template_text("exfm", name) for name in EXFM_FILES}
    return [f"simulated {folder / 'log'}: put your own log in its place", *_written(folder, texts)]


def template_log(out: Path, seed: int = 0) -> None:
    """The log of the templates ctr and cvr: large enough to prove a gain of 1% NE, small enough for minutes.

    Raises:
        InputError: where a log is already there.
    """
    from automl.data.simulated.log import simulate

    simulate(out, rows=180_000, users=4_000, items=1_500, days=12, seed=seed)


def template_stream(out: Path, seed: int = 7) -> None:
    """The stream of the template exfm.

    Raises:
        InputError: where a log is already there.
    """
    from automl.data.simulated.stream import simulate_stream

    simulate_stream(out, rows=100_000, users=2_000, items=600, days=12, seed=seed)


def _check_free(folder: Path, names: Sequence[str], what: str) -> None:
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise InputError.of(str(folder), f"must not hold {what}", ", ".join(there), "choose another folder")


def _written(folder: Path, texts: Mapping[str, str]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with whole_file(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    return [
        "wrote " + ", ".join(str(folder / name) for name in texts),
        f"next: automl check {folder / next(iter(texts))}",
    ]


def template_text(template: str, name: str) -> str:
    """A file of a template."""
    return (resources.files("automl.commands.templates") / template / name).read_text(encoding="utf-8")


def drafted(text: str, found: Draft, data: Path, folder: Path) -> str:
    """The template with its `data:` part replaced by what was found in the log, and limits that fit it."""
    head, _, rest = text.partition("data:\n")
    _, _, tail = rest.partition("\nspace:")
    name = json.dumps(folder.resolve().name or "study")
    named = re.sub(r"(?m)^name: .*$", lambda _: f"name: {name}", head)
    many = sum(least > 1 for _, least in found.categorical)  # columns of many different ids
    limited = re.sub(r"(?m)^trial: .*$", limits(found.rows, len(found.categorical) + len(found.dense), many), tail)
    return f"{named}{found.yaml(data.absolute())}\n\nspace:{limited}"


def limits(rows: int, features: int, many: int) -> str:
    """The line with the limits of a trial on so many rows and features, `many` of them of many different ids: several
    times what the slowest and largest candidates of the templates take, and never below what the templates say."""
    seconds = max(_LEAST_SECONDS, rows * (features + 1) * _SECONDS_A_VALUE)
    size = _LEAST_GIB + round(rows * many * _BYTES_AN_ID / 2**30)
    return f"trial: {{timeout: {math.ceil(seconds / 60)}m, memory: {size}GiB}}"
