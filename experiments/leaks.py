"""What the finder of leaks finds: logs with a column, or a clock, that gives the label away, and clean ones.

`python -m experiments.leaks [--quick]`. A case is a log and the places that leak in it. Found: a note of the kind
`leak` at such a place. A false alarm: one at any other place. Each KuaiRand study has 34 honest features besides.

KuaiRand is needed; The Complete Journey is among the clean logs where its package is installed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from experiments.leak_cases import (
    Case,
    aggregate_cases,
    clean_cases,
    feedback_cases,
    generated_cases,
    journey_cases,
    running_cases,
)
from experiments.leak_logs import ORDER
from experiments.record import write_result


def measure(case: Case, folder: Path) -> dict[str, Any]:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        log = encode_log(DataConfig.model_validate(case.data), folder, Path(cache))
    notes = [note for note in log.notes if note.kind == "leak"]
    told = {note.at[-1] if note.at else ORDER for note in notes}
    return {
        "kind": case.kind,
        "case": case.name,
        "leaks": sorted(case.leaks),
        "found": sorted(case.leaks & told),
        "false": sorted(told - case.leaks - case.follows),
        "notes": [note.text for note in notes],
        "by_name": sum("is named like feedback" in note.text for note in notes),
        "drift": [note.text for note in log.notes if note.kind == "drift"],
        "encode_seconds": round(time.perf_counter() - start, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="generated logs only, of fewer rows")
    quick = parser.parse_args().quick
    rows = 20_000 if quick else 200_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = [generated_cases(folder, rows)]
        if not quick:
            cases += [feedback_cases(), aggregate_cases(folder), running_cases(folder)]
            cases += [journey_cases(folder), clean_cases(folder, rows)]
        found = []
        for part in cases:
            for case in part:
                found.append(measure(case, folder))
                one = found[-1]
                print(
                    f"{one['kind']:10} {one['case']:48} leaks {len(one['leaks'])} found {len(one['found'])} "
                    f"false {len(one['false'])}  {one['encode_seconds']} s"
                )
                for text in one["notes"]:
                    print(f"           {text}")
    table = [by_kind(kind, found) for kind in dict.fromkeys(one["kind"] for one in found)]
    total = by_kind("", found)
    if not quick:
        write_result(
            "leaks",
            settings={"generated_rows": rows},
            figures={"kinds": table, "cases": found},
            headline={
                "leak_precision": total["precision"],
                "leak_recall": total["recall"],
                "false_alarms_on_clean_logs": sum(len(one["false"]) for one in found if not one["leaks"]),
                "clean_logs": sum(not one["leaks"] for one in found),
                "drift_notes_on_clean_logs": sum(len(one["drift"]) for one in found if not one["leaks"]),
                "found_by_name_and_event_alone": sum(one["by_name"] for one in found),
            },
        )
    for row in (*table, total):
        print(row)


def by_kind(kind: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Precision and recall over the cases of a kind, or over all."""
    chosen = [one for one in found if kind in ("", one["kind"])]
    planted, hit, false = (sum(len(one[name]) for one in chosen) for name in ("leaks", "found", "false"))
    return {
        "kind": kind or "all",
        "cases": len(chosen),
        "leaks": planted,
        "found": hit,
        "false": false,
        "precision": round(hit / (hit + false), 3) if hit + false else None,
        "recall": round(hit / planted, 3) if planted else None,
    }


if __name__ == "__main__":
    main()
