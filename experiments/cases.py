"""Small logs on which tools are known to go wrong, each with its right value: how many are read right, or refused well.

    AUTOML_SHARED=FOLDER python -m experiments.cases

Reads FOLDER/cases, copies it to a scratch folder and runs the commands there as a person would. The kinds behind the
cases have tests of their own, with data that the tests make.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.record import write_result
from experiments.said import said

ROWS = {"train": 1598, "validate": 688, "test": 714}
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a command said. told: what `check --json` printed, where it went well."""

    code: int
    words: str
    told: Json

    @property
    def rows(self) -> dict[str, int]:
        """Of each window."""
        return {name: window["rows"] for name, window in self.told.get("windows", {}).items()}

    @property
    def whole(self) -> bool:
        """All 3,000 rows, each in its window."""
        return self.rows == ROWS

    @property
    def takes_all(self) -> bool:
        """All rows, in windows that a draft chose."""
        return sum(self.rows.values()) == sum(ROWS.values())

    @property
    def tail(self) -> str:
        """The windows' rows, or the last words."""
        return str(self.rows) if self.told else self.words.strip()[-300:]

    def ids(self, feature: str) -> int | None:
        """How many values a feature has in the training window."""
        return self.told["features"][feature]["vocabulary"] if self.told else None

    def refused(self, *words: str) -> bool:
        """With exit code 2 and these words, a place in a file among them."""
        return self.code == 2 and all(word in self.words for word in words)


CHECKED: Mapping[str, Callable[[Found], bool]] = {
    "tsv_open_quote": lambda found: found.whole,
    "csv_uint64_ids": lambda found: found.whole and (found.ids("user_id") or 0) > 190,
    "csv_leading_zero": lambda found: found.whole and 4 in (found.ids(name) for name in found.told["features"]),
    "csv_na_country": lambda found: found.whole and not any(_missing(found)),
    "drift_tz": lambda found: found.refused("a.parquet", "b.parquet"),
    "label_2_bool": lambda found: found.refused("click must be 0 or 1, but found 2"),
    "drift_removed": lambda found: found.whole and "missing in 100% of the validate rows" in found.words,
    "drift_null_first": lambda found: found.whole,
    "drift_dense_int_float": lambda found: found.whole,
    "dir_parquet_gzip": lambda found: found.whole,
    "dense_dblmax": lambda found: found.refused("price must lie within float32", "-1.79769e+308", "rows"),
    "w_text_bad": lambda found: found.refused("study.yaml", "w must be", "'high'"),
    "glob_brackets_literal": lambda found: found.whole,
    "w_zero_positives": lambda found: found.refused("weights of 0 in all 462 positive rows"),
    "t_yyyymmdd_int": lambda found: found.refused("20240301 to 20240309", "%Y%m%d"),
}
DRAFTED: Mapping[str, Callable[[str, Found], bool]] = {
    "p_null_cat": lambda drafted, found: found.takes_all,
    "elastic": lambda drafted, found: found.takes_all,
    "date_text_beside_time": lambda drafted, found: (
        sum(found.rows.values()) == 4000 and "event_date (a date as text" in drafted
    ),
}
SERVED: Mapping[str, tuple[tuple[str, ...], Callable[[Found], bool]]] = {
    "p_ts_seconds": ((), lambda found: found.code == 2 and "must lie near the log" in found.words),
    "p_csv_zip_digits_only": ((), lambda found: found.code == 0 and "probability" in found.words),
    "p_join_key_text": (("users_text.parquet",), lambda found: found.code == 2 and "user_id must" in found.words),
}


def main() -> None:
    """Run them all, and write which are right."""
    shared = os.environ.get("AUTOML_SHARED")
    if shared is None or not (Path(shared) / "cases").is_dir():
        raise SystemExit("skipped: AUTOML_SHARED must name a folder with cases/")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shutil.copytree(Path(shared) / "cases", Path(scratch) / "cases"))
        found: dict[str, tuple[bool, Found]] = {}
        for name, is_right in CHECKED.items():
            told = _checked(folder / name / "study.yaml")
            found[name] = is_right(told), told
        for name, drafts_right in DRAFTED.items():
            drafted = _said("init", str(folder / f"drafted-{name}"), "--data", str(folder / name / "log.parquet"))
            told = _checked(folder / f"drafted-{name}" / "study.yaml")
            found[name] = drafts_right(drafted.words, told), told
        found |= _served(folder / "serve")
        for name, (right, told) in found.items():
            print(f"{'right' if right else 'WRONG'}  {name}" + ("" if right else f": {told.tail}"))
        headline = {"cases_right": sum(right for right, _ in found.values()), "cases": len(found)}
        figures = {
            name: {"right": right, "exit": told.code, "words": told.tail.replace(scratch, "")}
            for name, (right, told) in found.items()
        }
    write_result("cases", settings={}, figures=figures, headline=headline)
    print(headline)


def _served(folder: Path) -> dict[str, tuple[bool, Found]]:
    """A model of the log, and tables that are written in another way."""
    trained = _said("search", str(folder / "study.yaml"), "--trials", "1")
    study, model = str(folder), str(folder / "model.automl")
    exported = _said("export", study, "--trial", "1", "--to", model)
    if trained.code or exported.code:
        raise SystemExit(trained.words + exported.words)
    found = {}
    for name, (joined, is_right) in SERVED.items():
        table = next(path for path in sorted((folder / name).iterdir()) if path.suffix in (".csv", ".parquet"))
        side = folder / (joined[0] if joined else "users.parquet")
        told = _said("predict", model, str(table), "--join", f"user_id={side}")
        found[name] = is_right(told), told
    return found


def _checked(file: Path) -> Found:
    found = _said("check", str(file), "--json")
    told = json.loads(found.words) if found.code == 0 else {}
    return Found(found.code, found.words, told)


def _said(*words: str) -> Found:
    done = said(*words)
    return Found(done.returncode, done.stdout if done.returncode == 0 else done.stderr, {})


def _missing(found: Found) -> list[float]:
    return [share for feature in found.told["features"].values() for share in feature["missing"].values()]


if __name__ == "__main__":
    main()
