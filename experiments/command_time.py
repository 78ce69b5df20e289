"""CPU seconds (user and system, children included) of commands that train nothing, as whole processes.

    python -m experiments.command_time [--against CHECKOUT] [--quick]

The study is one over KuaiRand where its data is there, else one over a simulated log; it was started before, so that
`check` finds the log encoded and `status` has a record to read. With another checkout of the project (its commands are
taken from its own .venv) the two take turns, and the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from experiments.kuairand import kuairand_folder, write_study
from experiments.record import write_result
from search_spaces.errors import InputError

ROOT = Path(__file__).parents[1]
RUNS, QUICK_RUNS = 5, 1


def main() -> None:
    """Time every command, here and in another checkout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout with a .venv, e.g. of an earlier commit")
    parser.add_argument("--quick", action="store_true", help="every command once")
    arguments = parser.parse_args()
    checkouts = {"here": ROOT} | ({"against": arguments.against.absolute()} if arguments.against else {})
    runs = QUICK_RUNS if arguments.quick else RUNS
    with tempfile.TemporaryDirectory() as scratch:
        studies = {name: prepared(checkout, Path(scratch) / name) for name, checkout in checkouts.items()}
        figures: dict[str, dict[str, float]] = {}
        for command in commands(ROOT, studies["here"]):
            seconds: dict[str, list[float]] = {name: [] for name in checkouts}
            for _ in range(runs + 1):  # the first one warms the disk
                for name, checkout in checkouts.items():
                    words = commands(checkout, studies[name])[command]
                    seconds[name].append(cpu_seconds(words, studies[name].parent))
            figures[command] = {name: round(median(of[1:]), 2) for name, of in seconds.items()}
            figures[command] |= {f"{name}_worst": round(max(of[1:]), 2) for name, of in seconds.items()}
            print(f"{command:<28}", figures[command], flush=True)
    write_result(
        "command_time",
        settings={"runs": runs, "study": "kuairand" if there() else "simulated"},
        figures=figures,
        headline={f"{command}, CPU s": found["here"] for command, found in figures.items()},
    )


def commands(checkout: Path, study: Path) -> dict[str, list[str]]:
    """The commands by name; `study` is the study file."""
    automl = str(checkout / ".venv/bin/automl")
    return {
        "import automl": [str(checkout / ".venv/bin/python"), "-c", "import automl"],
        "automl --help": [automl, "--help"],
        "check, a file with a mistake": [automl, "check", str(study.with_name("broken.yaml"))],
        "check, a study": [automl, "check", str(study)],
        "status": [automl, "status", str(study.parent)],
        "init": [automl, "init", str(study.parent / "new"), "--data", str(log_of(study))],
    }


def there() -> bool:
    """Whether KuaiRand's data is."""
    try:
        return kuairand_folder().exists()
    except InputError:
        return False


def log_of(study: Path) -> Path:
    return kuairand_folder() / "log.parquet" if there() else study.parent / "log"


def prepared(checkout: Path, folder: Path) -> Path:
    """A study that was started, with a file beside it that has one mistake; its file."""
    automl = str(checkout / ".venv/bin/automl")
    if there():
        written = write_study("command-time", rest="baseline_seeds: 2\n")
        folder.mkdir(parents=True)
        for file in written.parent.glob("*.yaml"):
            (folder / file.name).write_text(file.read_text())
    else:
        subprocess.run([automl, "init", str(folder)], check=True, capture_output=True)
    study = folder / "study.yaml"
    subprocess.run([automl, "search", str(study), "--trials", "4"], check=True, capture_output=True, cwd=checkout)
    (folder / "broken.yaml").write_text(study.read_text().replace("strategy: controller", "strategy: controler"))
    return study


def cpu_seconds(words: Sequence[str], folder: Path) -> float:
    """User and system seconds of a process and its children, whatever it says."""
    shutil.rmtree(folder / "new", ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, capture_output=True, cwd=folder, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
