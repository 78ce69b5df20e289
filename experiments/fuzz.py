"""Coverage-guided fuzzing of all that is read from files: whatever they hold, wrong input is told as such.

    python -m experiments.fuzz [--seconds N] [--target NAME ...]

Needs atheris (`pip install atheris`), which is in no dependency of the package. Each target is a process of its own
that libFuzzer drives from the examples of the library and the pages; what is raised but InputError is a finding, kept
once for each place that raises it, with the bytes that did it. See experiments/results/fuzz.json.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from search_spaces.source import Document, read

ROOT = Path(__file__).parents[1]
SECONDS, SLOW_S, MEMORY_MIB, MAX_BYTES = 120, 20, 3000, 1 << 14
_ROOMS = [f"automl.data.{room}" for room in ("describe", "tables", "columns", "past", "store")]
_ROOMS += ["search_spaces", "automl.study", "automl.exfm.config", "automl.ranking.served", "automl.ranking.graphs"]
_STUDY = """\
name: small
data:
  path: log/log.parquet
  time: {column: time_ms, unit: ms, timezone: UTC}
  label: click
  features:
    categorical: {user_id: {}, item_id: {}, tab: {}}
    counters: {keys: [user_id, [item_id, tab]], labels: [click], every: day}
    recent: {keys: [user_id], within: 2d}
  split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: ctr-small
baseline: baseline.yaml
"""
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_STEP = re.compile(r"^#(\d+)\s.*?\bcov: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Target:
    """What reads the bytes, made in the process that does; and examples to begin with."""

    make: Callable[[Path], Callable[[bytes], object]]
    seeds: Callable[[Path], Iterator[bytes]]


def _pages(home: Path, words: Sequence[str]) -> Iterator[bytes]:
    """YAML blocks of the pages, and the files of the library and the templates, that hold one of the words."""
    texts = [text for page in sorted((ROOT / "docs").glob("*.md")) for text in _blocks(page.read_text())]
    texts += [file.read_text() for file in sorted(ROOT.glob("automl/commands/templates/*/*.yaml"))]
    texts += [file.read_text() for file in sorted(ROOT.glob("search_spaces/library/*.yaml"))]
    yield from (text.encode() for text in texts if any(word in text for word in words))


def _blocks(page: str) -> list[str]:
    return re.findall(r"```ya?ml\n(.*?)```", page, re.DOTALL)


# ---------------------------------------------------------------- YAML


def _document(folder: Path, name: str, held: bytes) -> Document:
    (folder / name).write_bytes(held)
    return read(folder / name)


def _space(folder: Path) -> Callable[[bytes], object]:
    from search_spaces.inputs import InputShape
    from search_spaces.space import space_of

    inputs = InputShape(((9, 3, 1), (5, 5)), dense=1, train_rows=1000)

    def target(held: bytes) -> object:
        space = space_of(_document(folder, "space.yaml", held), inputs)
        return space.to_yaml()

    return target


def _model(folder: Path) -> Callable[[bytes], object]:
    from search_spaces.space import model_of

    return lambda held: model_of(_document(folder, "model.yaml", held)).key


def _study(folder: Path) -> Callable[[bytes], object]:
    from automl.study.file import kind_of, read_study

    def target(held: bytes) -> object:
        document = _document(folder, "study.yaml", held)
        return kind_of(document), read_study(document)

    return target


def _exfm(folder: Path) -> Callable[[bytes], object]:
    from automl.exfm.config import ExfmConfig
    from search_spaces.source import validate

    return lambda held: validate(ExfmConfig, _document(folder, "exfm.yaml", held))


def _data(folder: Path) -> Callable[[bytes], object]:
    """A data description over a small log, opened and planned; the first byte says of what."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from automl.data.describe.streams import StreamDataConfig
    from automl.data.describe.tables import DataConfig
    from automl.data.encode.plan import make_plan
    from automl.data.encode.stream_plan import make_stream_plan
    from search_spaces.source import validate

    log = {name: pa.array([0, 1] * 8) for name in ("click", "user", "item", "user_id", "video_id", "date", "time_ms")}
    pq.write_table(pa.table({**log, "word": pa.array(["a", "b"] * 8)}), folder / "log.parquet")

    def target(held: bytes) -> object:
        document = _document(folder, "data.yaml", held[1:])
        at = document.at
        if held[:1] < b"P":
            return make_plan(validate(DataConfig, document), folder, at)
        return make_stream_plan(validate(StreamDataConfig, document), folder, at)

    return target


def _data_seeds(home: Path) -> Iterator[bytes]:
    from search_spaces.source import read_text

    for held in _pages(home, ["features:"]):
        try:
            data = read_text(held.decode(), "seed").data
        except Exception:  # noqa: S112  # a part of a page that is none by itself
            continue
        if isinstance(data, dict) and isinstance(data.get("data"), dict):
            told = json.dumps({**data["data"], "path": "log.parquet"}, default=str).encode()
            yield from (b"A" + told, b"z" + told)


def _expression(folder: Path) -> Callable[[bytes], object]:
    from search_spaces.inputs import InputShape
    from search_spaces.space import load_space

    inputs = InputShape(((9, 3, 1), (5, 5)), dense=1, train_rows=1000)
    space = load_space("ctr-small", inputs)

    def target(held: bytes) -> object:
        from search_spaces.errors import InputError

        try:
            text = held.decode()
        except UnicodeDecodeError:
            raise InputError.of("fuzz", "must be UTF-8") from None
        bound = space.with_where([text])
        return bound.violations(bound.default()) if bound else None

    return target


def _expression_seeds(home: Path) -> Iterator[bytes]:
    for held in _pages(home, ["where"]):
        yield from (line.strip(" -").encode() for line in held.decode().splitlines() if any(c in line for c in "<>=("))


# ---------------------------------------------------------------- JSON


def _finals(folder: Path) -> Callable[[bytes], object]:
    from automl.study.results import FILE, read_finals

    def target(held: bytes) -> object:
        (folder / FILE).write_bytes(held)
        return read_finals(folder)

    return target


def _exfm_json(folder: Path) -> Callable[[bytes], object]:
    from automl.study.exfm_json import EXFM_JSON, read_exfm

    def target(held: bytes) -> object:
        (folder / EXFM_JSON).write_bytes(held)
        return read_exfm(folder)

    return target


def _json_seeds(home: Path, name: str) -> Iterator[bytes]:
    """A value of the schema, where each key has the simplest one that is allowed."""
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text())
    yield json.dumps(_simplest(schema, schema.get("$defs", {}))).encode()
    yield from (
        file.read_bytes() for file in sorted(ROOT.glob(f"tests/**/{name}*.json")) if file.stat().st_size < 1 << 14
    )


def _simplest(schema: dict[str, Any], known: dict[str, Any]) -> object:
    if "$ref" in schema:
        return _simplest(known[str(schema["$ref"]).rpartition("/")[2]], known)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _simplest(schema[several][0], known)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    kind = schema.get("type")
    if kind == "object":
        return {key: _simplest(of, known) for key, of in schema.get("properties", {}).items()}
    if kind == "array":
        return [_simplest(schema["items"], known)] if isinstance(schema.get("items"), dict) else []
    return {"string": "a", "number": 0.5, "integer": 1, "boolean": True}.get(str(kind))


# ---------------------------------------------------------------- files of parts


def _parts(held: bytes, file: Path, out: Path) -> None:
    """A file of parts with one of them replaced, which the first byte names; or the bytes alone."""
    with ZipFile(file) as whole:
        names = whole.namelist()
        if held[:1] >= b"\xf0" or not held:
            out.write_bytes(held[1:])
            return
        with ZipFile(out, "w") as made:
            for k, name in enumerate(names):
                made.writestr(name, held[1:] if k == held[0] % len(names) else whole.read(name))


def _part_seeds(home: Path, beside: str = "") -> Iterator[bytes]:
    made = _made(home)
    file = made.with_name(made.name + beside)
    yield b"\xff" + file.read_bytes()[:MAX_BYTES]
    with ZipFile(file) as whole:
        for k, name in enumerate(whole.namelist()):
            yield bytes([k]) + whole.read(name)[: 4 * MAX_BYTES]


def _make(folder: Path) -> Path:
    """An exported model that reads what earlier rows tell, with its past; the baseline of a small simulated log."""
    from automl.commands.export import export_spec
    from automl.data.simulated.log import simulate
    from automl.study.problem import load_problem

    simulate(folder / "log", rows=6000, users=100, items=40, seed=3)
    (folder / "study.yaml").write_text(_STUDY)
    (folder / "baseline.yaml").write_text("embedding: {dim: 4}\ninteraction: []\ndeep: [{mlp: {width: 8}}]\n")
    problem = load_problem(folder / "study.yaml")
    export_spec(problem, problem.baseline, folder / "model.automl", {}, None)
    return folder / "model.automl"


def _made(home: Path) -> Path:
    """That model, made once for all targets."""
    file = home.parent / "made" / "model.automl"
    return file if file.exists() else _make(file.parent)


def _served(folder: Path) -> Callable[[bytes], object]:
    from automl.ranking.served import load_served

    file = _made(folder.parent)
    load_served(file)  # what torch loads late would count as the time of an input

    def target(held: bytes) -> object:
        _parts(held, file, folder / "m.automl")
        return load_served(folder / "m.automl")

    return target


def _past(folder: Path) -> Callable[[bytes], object]:
    from automl.data.past.files import past_beside, read_past

    file = past_beside(_made(folder.parent))

    def target(held: bytes) -> object:
        _parts(held, file, folder / "m.past")
        return read_past(folder / "m.past")

    return target


# ---------------------------------------------------------------- tables


def _table(folder: Path) -> Callable[[bytes], object]:
    """A log as whatever its bytes are; the first one says what its name says."""
    from automl.data.tables.table import open_table
    from search_spaces.errors import Position

    names = ("log.csv", "log.tsv", "log.jsonl", "log.parquet", "log.arrow", "log.csv.gz")

    def target(held: bytes) -> object:
        name = names[(held or b"\0")[0] % len(names)]
        (folder / name).write_bytes(held[1:])
        table = open_table(name, folder, Position("study.yaml", 1, 1))
        return sum(batch.num_rows for batch in table.batches(table.columns))

    return target


def _table_seeds(home: Path) -> Iterator[bytes]:
    import gzip

    import pyarrow as pa
    import pyarrow.feather as feather
    import pyarrow.parquet as pq

    text = b'user,item,click\n1,"a ""b""",0\n2,c,1\n'
    lines = b'{"user": 1, "item": "a", "click": 0}\n{"user": 2.5, "item": null}\n'
    table = pa.table({"user": [1, 2], "item": ["a", None], "click": [0.0, 1.0]})
    held = [BytesIO(), BytesIO()]
    pq.write_table(table, held[0])
    feather.write_feather(table, held[1], compression="uncompressed")
    made = (text, text.replace(b",", b"\t"), lines, held[0].getvalue(), held[1].getvalue(), gzip.compress(text))
    yield from (bytes([k]) + content for k, content in enumerate(made))


TARGETS = {
    "space": Target(_space, partial(_pages, words=["embedding", "interaction", "deep", "extends"])),
    "model": Target(_model, partial(_pages, words=["embedding", "interaction", "deep"])),
    "study": Target(_study, partial(_pages, words=["data:", "baseline"])),
    "exfm": Target(_exfm, partial(_pages, words=["teacher", "students"])),
    "data": Target(_data, _data_seeds),
    "expression": Target(_expression, _expression_seeds),
    "finals": Target(_finals, partial(_json_seeds, name="finals")),
    "exfm_json": Target(_exfm_json, partial(_json_seeds, name="exfm")),
    "table": Target(_table, _table_seeds),
    "served": Target(_served, _part_seeds),
    "past": Target(_past, partial(_part_seeds, beside=".past")),
}


# ---------------------------------------------------------------- one process


def fuzz(name: str, home: Path, seconds: int) -> None:
    """Does not return: libFuzzer ends the process."""
    atheris = importlib.import_module("atheris")  # installed for this alone

    from search_spaces.errors import InputError

    with atheris.instrument_imports(include=_ROOMS):
        folder = home / "work"
        folder.mkdir(exist_ok=True)
        target = TARGETS[name].make(folder)

    def one(held: bytes) -> None:
        try:
            target(held)
        except InputError as error:
            str(error).encode()
        except Exception as error:
            _keep(home / "findings", held, error)

    words = [f"-max_total_time={seconds}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MIB}", f"-max_len={MAX_BYTES}"]
    atheris.Setup([name, *words, f"-artifact_prefix={home}/ended-", str(home / "corpus")], one)
    atheris.Fuzz()


def _keep(folder: Path, held: bytes, error: Exception) -> None:
    """Once for each place in our code that something is raised from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(ROOT) in frame.filename]
    place = f"{Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].lineno}" if frames else "?"
    mark = hashlib.sha256(f"{type(error).__name__} {place}".encode()).hexdigest()[:12]
    if not (folder / f"{mark}.txt").exists():
        (folder / f"{mark}.bin").write_bytes(held)
        (folder / f"{mark}.txt").write_text(f"{type(error).__name__}: {error}\n{place}\n{traceback.format_exc()}")


# ---------------------------------------------------------------- all of them


def run(name: str, home: Path, seconds: int) -> dict[str, Any]:
    """Fuzz one target for so long, again where it ended the process; what came of it."""
    for part in ("corpus", "findings"):
        (home / part).mkdir(parents=True, exist_ok=True)
    for held in TARGETS[name].seeds(home):
        (home / "corpus" / hashlib.sha256(held).hexdigest()[:16]).write_bytes(held)
    end, runs, covered = time.monotonic() + seconds, 0, 0
    while (left := round(end - time.monotonic())) > 5:
        words = [sys.executable, "-m", "experiments.fuzz", "--one", name, "--home", str(home), "--seconds", str(left)]
        told = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False, cwd=ROOT)
        steps = _STEP.findall(told.stderr)
        done = _DONE.findall(told.stderr)
        runs += int(done[-1][0]) if done else int(steps[-1][0]) if steps else 0
        covered = max([covered, *(int(edges) for _, edges in steps)])
        (home / "last.txt").write_text(told.stderr[-20_000:])
        if not steps and not done:
            break
    findings = sorted(file.read_text().split("\n")[0][:200] for file in (home / "findings").glob("*.txt"))
    ended = sorted(file.name for file in home.glob("ended-*"))
    return {"runs": runs, "seconds": seconds, "edges": covered, "findings": findings, "ended": ended}


@contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
    else:
        with TemporaryDirectory() as name:
            yield Path(name)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each target")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="all of them if left out")
    parser.add_argument("--home", type=Path, help="where findings and corpora are kept; nowhere if left out")
    parser.add_argument("--one", choices=sorted(TARGETS), help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.one:
        fuzz(asked.one, asked.home, asked.seconds)
        return
    found = {}
    with _home(asked.home) as home:
        for name in asked.target or TARGETS:
            found[name] = run(name, home / name, asked.seconds)
            print(name, json.dumps(found[name]), flush=True)
    from experiments.record import write_result

    headline = {
        "runs": sum(one["runs"] for one in found.values()),
        "minutes": round(sum(one["seconds"] for one in found.values()) / 60, 1),
        "findings": sum(len(one["findings"]) + len(one["ended"]) for one in found.values()),
    }
    write_result("fuzz", settings={"seconds": asked.seconds, "slow_s": SLOW_S}, figures=found, headline=headline)


if __name__ == "__main__":
    main()
