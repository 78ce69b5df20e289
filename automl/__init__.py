"""Architecture and hyperparameter search for ranking models, with gains that are proven.

study = automl.search("study.yaml", trials=100)
study.pareto()                  # the front as a data frame
study.best("balanced")          # a model to ship
study.finals(seeds=5)           # is the gain real?

run = automl.exfm_run("exfm.yaml")  # one teacher, many students, a streaming log
run.export("home.automl", student="home")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.api import StudyHandle, open_study, search
    from automl.exfm.handle import ExfmHandle, exfm_run, open_exfm

VERSION = "0.1.0"

__all__ = ["VERSION", "ExfmHandle", "StudyHandle", "exfm_run", "open_exfm", "open_study", "search"]


def __getattr__(name: str) -> Any:
    """Load the API when it is first used: `import automl` alone stays light."""
    if name in {"StudyHandle", "open_study", "search"}:
        from automl import api

        return getattr(api, name)
    if name in {"ExfmHandle", "exfm_run", "open_exfm"}:
        from automl.exfm import handle

        return getattr(handle, name)
    raise AttributeError(f"module 'automl' has no attribute {name!r}")
