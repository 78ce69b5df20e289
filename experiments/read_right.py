"""Kinds of logs that tools read wrong, what happens to each now, and the test that holds it; and what else is known of
reading, in one line.

    python -m experiments.read_right

Runs the tests of each kind. The headline gathers what cases.py, leaks.py, check_cost.py and large.py have found.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from experiments.record import RESULTS, write_result

TABLES, ENCODE, PREDICT = "data/tables", "data/encode", "commands/test_predict.py"
WORDS = f"{ENCODE}/test_words.py::test_says_what_is_wrong"
TYPES = f"{TABLES}/test_table.py::test_each_file_is_read_in_its_own_type"
REFUSED = f"{TABLES}/test_table.py::test_types_that_nothing_holds_are_refused_with_both_files"
ANY_WAY = f"{ENCODE}/test_any_file.py::test_a_table_is_the_same_however_it_is_written"
TEXT = f"{TABLES}/test_text.py"
SKEW = (
    f"{PREDICT}::test_a_log_of_parquet_serves_the_same_rows_written_otherwise",
    f"{PREDICT}::test_a_log_of_csv_serves_parquet_or_names_the_column",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A way for a log to be read wrong, what happens now, and where that is tested, below tests/automl."""

    kind: str
    now: str
    test: str


KINDS = (
    Kind(
        "a quote in a file whose values have none",
        "text; rows are counted against lines",
        f"{TEXT}::test_many_open_quotes_in_a_tsv_take_no_lines",
    ),
    Kind("a quote that is not closed in a CSV", "refused, with the line", f"{WORDS}[an-open-quote]"),
    Kind("integers beyond 2^53 or 2^63", "exact", ANY_WAY),
    Kind(
        "codes with leading zeros, words that look like numbers or NA",
        "the text that stands there",
        f"{TEXT}::test_values_are_what_stands_there",
    ),
    Kind(
        "an id as 27 in one file and 27.0 in another",
        "noted; types: integer reads both as one",
        f"{ENCODE}/test_any_file.py::test_an_id_that_one_file_writes_as_a_float_is_named",
    ),
    Kind("files of several types that one holds", "each in its own, widened exactly", TYPES),
    Kind("files of several types that none holds", "refused, both files named", REFUSED),
    Kind(
        "an integer that the float of another file does not hold",
        "refused, with the value",
        f"{WORDS}[more-than-a-float-holds]",
    ),
    Kind("times with a zone beside times without one", "refused, both files named", f"{WORDS}[a-zone-in-one-file]"),
    Kind("seconds in one file, milliseconds in another", "refused, both files named", f"{WORDS}[two-units]"),
    Kind("days and hours written as numbers", "refused with the format that reads them", f"{WORDS}[days-as-numbers]"),
    Kind("a time in another unit", "refused with what the log then spans", f"{WORDS}[another-unit]"),
    Kind(
        "a column that some files lack",
        "missing there; noted where a window lacks it",
        f"{TABLES}/test_table.py::test_a_column_that_a_file_lacks_is_missing_there",
    ),
    Kind(
        "a feature that later days lack, or that begins late",
        "noted, by window",
        f"{ENCODE}/test_drift.py::test_a_column_that_later_days_lack_is_told",
    ),
    Kind(
        "values written in another way from a day on",
        "noted, by window",
        f"{ENCODE}/test_drift.py::test_values_written_in_another_way_are_told",
    ),
    Kind(
        "files of a folder that are not read",
        "noted, each with its reason",
        f"{TABLES}/test_table.py::test_what_is_left_out_of_a_folder_is_told",
    ),
    Kind(
        "formats and compression that a name does not tell",
        "told by content",
        f"{TABLES}/test_table.py::test_a_file_is_known_by_its_content",
    ),
    Kind(
        "a path with the marks of a pattern",
        "the file of that name",
        f"{TABLES}/test_table.py::test_a_path_that_is_there_is_no_glob",
    ),
    Kind("categories, views, UUIDs, decimals, partitions", "the same as text or numbers", ANY_WAY),
    Kind("a label or a weight of other values", "refused, with value and rows", f"{WORDS}[a-label-of-three]"),
    Kind("a class whose weights are 0", "refused for that reason", f"{ENCODE}/test_log_errors.py"),
    Kind("numbers beyond float32", "refused, with value and rows", f"{WORDS}[beyond-float32]"),
    Kind("another separator", "told at its place", f"{WORDS}[another-separator]"),
    Kind("a missing header", "told at its place", f"{WORDS}[no-header]"),
    Kind("vectors of several lengths", "refused, with length and rows", f"{WORDS}[vectors-of-two-lengths]"),
    Kind(
        "a draft over columns of any type",
        "drafted; left out with a reason",
        "data/draft/test_drafting.py::test_a_column_that_is_no_feature_is_left_out_with_its_reason",
    ),
    Kind(
        "dates as text, weeks, hours as numbers in a draft",
        "times, or left out",
        "data/draft/test_drafting.py::test_days_and_hours_as_they_are_written_are_times",
    ),
    Kind("served rows in another format or type", "scored the same, or refused with the column", SKEW[0]),
    Kind("served times in another unit", "refused", f"{PREDICT}::test_times_in_another_unit_are_refused"),
    Kind(
        "served keys of another type",
        "refused",
        f"{PREDICT}::test_keys_of_two_kinds_are_refused_and_text_files_have_any",
    ),
)


def main() -> None:
    """Run the tests, and write the table."""
    found = []
    for kind in KINDS:
        right, _ = _tested(kind.test)
        found.append({**asdict(kind), "right": right})
        print(f"{'right' if right else 'WRONG'}  {kind.kind}: {kind.now}", flush=True)
    examples = [_tested(test)[1] for test in SKEW]
    headline = {
        "kinds_right": sum(one["right"] for one in found),
        "kinds": len(found),
        "skew_tables": sum(examples),
        **_of("cases", "cases_right", "cases"),
        **_of("leaks", "leak_precision", "leak_recall"),
        **_of("check_cost", "check_time_ratio_worst", "check_memory_ratio_worst"),
        **_of("large", "encode_rss_gib", "worker_rss_gib", "encode_vs_scan", "train_vs_memory"),
    }
    write_result("data", settings={}, figures={"kinds": found, "skew_examples": examples}, headline=headline)
    print(headline)


def _tested(test: str) -> tuple[bool, int]:
    """Whether a test passes, and how many tables hypothesis made for it."""
    words = ["-q", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-show-statistics", f"tests/automl/{test}"]
    done = subprocess.run([sys.executable, "-m", "pytest", *words], capture_output=True, text=True, check=False)
    return done.returncode == 0, sum(map(int, re.findall(r"(\d+) passing", done.stdout)))


def _of(result: str, *names: str) -> Mapping[str, Any]:
    """Of the headline of another result; nothing where it was not run."""
    file = RESULTS / f"{result}.json"
    told = json.loads(file.read_text())["headline"] if file.exists() else {}
    return {name: told[name] for name in names if name in told}


if __name__ == "__main__":
    main()
