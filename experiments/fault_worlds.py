"""A search and an ExFM run that are killed again and again: their commands, and what of them has ended, as bytes."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from automl.data.simulated.log import simulate
from automl.data.simulated.stream import simulate_stream
from automl.study.exfm_json import EXFM_JSON
from automl.study.facts import REPEATS, TRIAL_REPEAT
from experiments import fault_training

Record = Mapping[str, bytes]
WORKERS = "2"
FEATURES = "categorical: {user_id: {}, item_id: {}, tab: {}}"

STUDY = f"""\
name: killed
plugins: [{Path(fault_training.__file__)}]
data:
  path: ../log/log.parquet
  time: {{column: time_ms, unit: ms, timezone: UTC}}
  label: click
  cluster: user_id
  features: {{{FEATURES}}}
  split: {{train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}}
space: space.yaml
baseline: baseline.yaml
search: {{strategy: random, batch: 5, stop_early: false}}
trial: {{training: noted, timeout: 60s, memory: 2GiB}}
qps: {{clock: analytic}}
baseline_seeds: 2
finals: {{margin_pct: 0.5, seeds: 2, repeats: 2}}
seed: 3
"""
SPACE = """\
embedding: {dim: {choice: [2, 4, 8]}, lr: {log: [0.01, 0.3], default: 0.05}}
deep: [{mlp: {width: {choice: [8, 16, 32]}, dropout: {float: [0, 0.2]}}}]
train: {batch_size: {choice: [128, 256]}, dense_lr: {log: [0.001, 0.01]}}
"""
BASELINE = "embedding: {dim: 4, lr: 0.05}\ndeep: [{mlp: {width: 16}}]\ntrain: {batch_size: 256, dense_lr: 0.003}\n"

EXFM = f"""\
name: killed
data:
  path: ../stream/log.parquet
  time: {{column: time_ms, unit: ms, timezone: UTC}}
  labels:
    click: {{column: click, arrives: label_time_ms}}
    convert: {{column: convert, given: click, arrives: label_time_ms}}
  cluster: user_id
  features: {{{FEATURES}}}
teacher: {{model: model.yaml, members: 1, snapshot_every: 3h}}
students:
  clicks: {{model: model.yaml, label: click}}
  conversions: {{model: model.yaml, label: convert}}
score_from: 1
seeds: 2
seed: 7
"""
MODEL = "embedding: {dim: 4, lr: 0.1, min_count: 1}\ndeep: [{mlp: {width: 8}}]\ntrain: {batch_size: 64}\n"

OF_THE_MOMENT = {
    "wall_seconds", "train_seconds", "seconds", "core_seconds", "rows_per_second", "core_seconds_per_student",
    "calls", "calls_per_example",
}  # fmt: skip


class World(ABC):
    """Something that runs, is killed and goes on. What ends in it ends in units."""

    name: str
    root: Path

    @property
    @abstractmethod
    def folder(self) -> Path:
        """What runs now; absolute."""

    @abstractmethod
    def words(self, out: Path | None = None) -> list[str]:
        """The command, always the same; with `out` another one of the same over another folder."""

    @abstractmethod
    def write(self) -> None:
        """What the command reads."""

    @abstractmethod
    def record(self, folder: Path | None = None) -> Record:
        """What has ended, by name, as bytes; of a copy where it lies elsewhere."""

    @abstractmethod
    def ended(self) -> int:
        """Units that have ended."""

    @abstractmethod
    def committing(self) -> bool:
        """Whether something is being committed at this moment."""

    @abstractmethod
    def more(self) -> None:
        """After an end: something more to do for the same command."""

    def trained(self) -> tuple[int, set[str]]:
        """Where the notes of trainings end now, and what of the record may not be trained again."""
        return 0, set()

    def trained_again(self, before: tuple[int, set[str]]) -> int:
        """Of what had ended, how much was begun again since."""
        return 0


def command(*words: str | Path) -> list[str]:
    """An `automl` command of this environment."""
    return [str(Path(sys.executable).with_name("automl")), *map(str, words)]


@dataclass
class SearchWorld(World):
    """One search of many short trials."""

    root: Path
    trials: int
    name: str = "search"
    _known: int = 0

    @property
    def folder(self) -> Path:
        return self.root / "search"

    def words(self, out: Path | None = None) -> list[str]:
        asked = command("search", self.folder / "study.yaml", "--trials", str(self.trials), "--workers", WORKERS)
        return asked if out is None else [*asked, "--out", str(out)]

    def write(self) -> None:
        simulate(self.root / "log", rows=3000, users=100, items=40, seed=1)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("study", STUDY), ("space", SPACE), ("baseline", BASELINE)):
            (self.folder / f"{name}.yaml").write_text(text)

    def record(self, folder: Path | None = None) -> Record:
        folder = folder or self.folder
        found = _rows_of(folder / "study.db")
        for file in (self.folder / "finals").glob("*/*.npy"):
            found[f"predictions {file.name}"] = digest(file)
        return found

    def ended(self) -> int:
        file = self.folder / "study.db"
        if not file.exists():
            return 0
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60)) as db:
                (count,) = db.execute("select count(*) from trials where state != 'RUNNING'").fetchone()
        except sqlite3.OperationalError:  # it is being made, or a dead run has left it in the middle of a commit
            return self._known
        self._known = max(self._known, int(count))
        return self._known

    def committing(self) -> bool:
        return (self.folder / "study.db-journal").exists()

    def more(self) -> None:
        self.trials += 50

    def trained(self) -> tuple[int, set[str]]:
        notes, rows = fault_training.notes_of(self.folder), _rows_of(self.folder / "study.db")
        place = notes.stat().st_size if notes.exists() else 0
        return place, {unit for name, row in rows.items() for unit in _unit_of(name, row)}

    def trained_again(self, before: tuple[int, set[str]]) -> int:
        place, known = before
        notes = fault_training.notes_of(self.folder)
        lines = notes.read_bytes()[place:].decode().splitlines() if notes.exists() else []
        return sum(line.startswith("begin ") and line.removeprefix("begin ") in known for line in lines)


def _rows_of(file: Path) -> dict[str, bytes]:
    """Every ended trial, every repeat and every training of the baseline in a record; nothing where it is not there.

    Raises:
        sqlite3.OperationalError: where it cannot be read for a minute.
    """
    if not file.exists():
        return {}
    found: dict[str, bytes] = {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60)) as db:
        if not db.execute("select 1 from sqlite_master where name = 'trial_user_attributes'").fetchone():
            return {}
        db.execute("begin")  # one moment for all that is read
        rows = db.execute("select trial_id, state, datetime_start, datetime_complete from trials").fetchall()
        attributes = _by_trial(db, "select trial_id, key, value_json from trial_user_attributes")
        params = _by_trial(db, "select trial_id, param_name, param_value from trial_params")
        values = _by_trial(db, "select trial_id, objective, value from trial_values")
        for trial, state, *times in rows:
            known = dict(attributes.get(trial, []))
            if "outcome" not in known:
                continue
            number = known["number"]
            found[f"trial {number} written"] = _bytes([known["proposal"], known["outcome"], known["round"]])
            if state != "RUNNING":  # else its end was written, and not told yet
                found[f"trial {number} told"] = _bytes([state, times, params.get(trial), values.get(trial)])
        for key, value in db.execute("select key, value_json from study_user_attributes"):
            if key.startswith(TRIAL_REPEAT):
                found[key] = value.encode()
            elif key == REPEATS:
                found |= {f"baseline {place}": _bytes(one) for place, one in enumerate(json.loads(value))}
    return found


def _by_trial(db: sqlite3.Connection, query: str) -> dict[int, list[tuple[object, ...]]]:
    found: dict[int, list[tuple[object, ...]]] = {}
    for trial, *rest in sorted(db.execute(query).fetchall(), key=repr):
        found.setdefault(trial, []).append(tuple(rest))
    return found


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def _unit_of(name: str, row: bytes) -> list[str]:
    """Model and order of what ended, as a training notes them."""
    if name.endswith(" written"):
        proposal, outcome = (json.loads(json.loads(text)) for text in json.loads(row)[:2])
        return [f"{proposal['key']} {outcome['seeds']['order']}"] if outcome["seeds"] else []
    if name.startswith("baseline "):
        one = json.loads(row)
        return [f"{one['proposal']['key']} {one['outcome']['seeds']['order']}"]
    return []


@dataclass
class ExfmWorld(World):
    """The smallest ExFM run, one folder after the other."""

    root: Path
    number: int = 0
    name: str = "exfm"

    @property
    def file(self) -> Path:
        return self.root / "exfm" / "exfm.yaml"

    @property
    def folder(self) -> Path:
        return self.root / f"run-{self.number}"

    def words(self, out: Path | None = None) -> list[str]:
        return command("exfm", "run", self.file, "--workers", WORKERS, "--out", out or self.folder)

    def write(self) -> None:
        simulate_stream(self.root / "stream", rows=2000, users=100, items=40, days=4, seed=7)
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(EXFM)
        (self.file.parent / "model.yaml").write_text(MODEL)

    def record(self, folder: Path | None = None) -> Record:
        folder = folder or self.folder
        found = {}
        for file in sorted((*folder.glob("das/*/_delta_log/*.json"), *folder.glob("students/*/*"))):
            if ".part" not in str(file):
                found[str(file.relative_to(folder))] = digest(file)
        for table in ("scored", "augmented"):
            found |= {f"{table} {name}": digest(folder / "das" / table / name) for name in _data(folder, table)}
        with suppress(FileNotFoundError):
            found["teaching.json"] = digest(folder / "teaching.json")
        return found

    def ended(self) -> int:
        return len([*self.folder.glob("das/augmented/_delta_log/*.json"), *self.folder.glob("students/*/facts.json")])

    def committing(self) -> bool:
        """Data of a tick are written, and no commit names them yet."""
        there = sum(1 for _ in (self.folder / "das").glob("*/window=*/*.parquet"))
        return there > sum(len(_data(self.folder, table)) for table in ("scored", "augmented"))

    def more(self) -> None:
        self.number += 1

    def trained(self) -> tuple[int, set[str]]:
        return 0, {f"{file} {file.stat().st_ino}" for file in self.folder.glob("students/*/facts.json")}

    def trained_again(self, before: tuple[int, set[str]]) -> int:
        """Students whose results were written once more; and rows that are scored twice."""
        students = sum(_inode(file) != inode for file, inode in (unit.rsplit(" ", 1) for unit in before[1]))
        return students + self._twice()

    def _twice(self) -> int:
        path = self.folder / "das" / "scored"
        if not DeltaTable.is_deltatable(str(path)):
            return 0
        ids = pa.table(DeltaTable(str(path)).to_pyarrow_table(columns=["example_id"]))["example_id"]
        return len(ids) - len(ids.unique())


def _data(folder: Path, table: str) -> list[str]:
    """The data files that the commits of a table name."""
    found = []
    for file in sorted((folder / "das" / table / "_delta_log").glob("*.json")):
        actions = map(json.loads, file.read_text().splitlines())
        found += [action["add"]["path"].replace("%3D", "=") for action in actions if "add" in action]
    return found


def _inode(file: str) -> str:
    try:
        return str(Path(file).stat().st_ino)
    except FileNotFoundError:
        return "gone"


def figures(folder: Path) -> object:
    """What an ExFM run has found, without what the machine decides."""
    return _kept(json.loads((folder / EXFM_JSON).read_text()))


def _kept(value: object) -> object:
    if isinstance(value, dict):
        return {key: _kept(part) for key, part in value.items() if key not in OF_THE_MOMENT}
    return [_kept(part) for part in value] if isinstance(value, list) else value


def digest(path: Path) -> bytes:
    """Of a file's bytes, or of all files of a folder.

    Raises:
        FileNotFoundError: where there is neither.
    """
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest().encode()
    whole = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            whole.update(str(file.relative_to(path)).encode() + digest(file))
    return whole.hexdigest().encode()


def copied_record(world: World, scratch: Path) -> Record:
    """What has ended, where nothing runs any more: read from a copy, so that what a dead process left half written is
    met first by what goes on."""
    files = list(world.folder.glob("study.db*"))
    if not files:
        return world.record()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for file in files:
        shutil.copy2(file, scratch)
    with closing(sqlite3.connect(scratch / "study.db", timeout=60)) as db:
        db.execute("select count(*) from sqlite_master").fetchone()  # takes back what was not committed
    return world.record(scratch)
