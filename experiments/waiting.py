"""Jobs that mostly wait, run by the engine on a cluster that is there.

    python -m experiments.waiting ADDRESS FOLDER --jobs 8 --seconds 1 --workers 2

The last line that it prints is JSON: how each job ended. FOLDER gets a file for each time that a job begins.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from automl.runtime.cluster import cluster
from automl.runtime.engine import run
from automl.runtime.jobs import Resources
from experiments.sleeps import Sleeps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--exit", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    source = Sleeps(asked.folder, asked.jobs, asked.seconds, asked.exit)
    with cluster(asked.folder, asked.workers, asked.address):
        start = time.time()
        run(source, Resources(workers=asked.workers))
    print(json.dumps({"wall_s": time.time() - start, "ended": source.ended_jobs}))


if __name__ == "__main__":
    main()
