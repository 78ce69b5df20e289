"""Commands in processes of their own, as a person runs them."""

from __future__ import annotations

import subprocess
import sys


def said(*words: str) -> subprocess.CompletedProcess[str]:
    """What `automl` and these words came to."""
    command = [sys.executable, "-c", "from automl.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)
