"""docs/blocks.md is followed word for word: its files are written, its commands run, and say what the page shows."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import Fence, fences
from tests.worlds.commands import AUTOML, PATIENCE_S

PROGRAMS = {"automl": str(AUTOML), "python": sys.executable}


def test_the_page_works_from_top_to_bottom(tmp_path: Path) -> None:
    for fence in fences():
        if not fence.place.startswith("docs/blocks.md:"):
            continue
        if fence.words:
            (tmp_path / fence.words[1]).write_text(fence.text)
        else:
            follow(fence, tmp_path)


def follow(fence: Fence, folder: Path) -> None:
    """Run what stands after each `$`; the lines below it must be among what is said. Only an error shown may fail."""
    for part in fence.text.removeprefix("$ ").split("\n$ "):
        command, *shown = part.splitlines()
        program, *words = shlex.split(command)
        done = subprocess.run(
            [PROGRAMS[program], *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        fails = any(line.startswith("AssertionError") for line in shown)
        assert (done.returncode != 0) == fails, f"{fence.place}: {command}\n{done.stderr}"
        said = (done.stdout + done.stderr).splitlines()
        assert set(shown) <= set(said), f"{fence.place}: {command} says\n" + "\n".join(said)
