"""A study file with all that it points to: broken ones with every word that is said of them, and good ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from automl.data.describe.tables import DataConfig, LabelConfig
from automl.data.simulated.log import simulate
from automl.study.file import config_of
from automl.study.problem import Problem, load_problem
from search_spaces.errors import InputError
from search_spaces.source import read
from search_spaces.space import load_model

GOLDEN = Path(__file__).parent / "golden"
BROKEN = sorted(GOLDEN.glob("*.yaml"))
LAST_DAY_MS = 1_710_115_200_000  # 2024-03-11 00:00 UTC
GOOD = (GOLDEN / "strategy.yaml").read_text("utf-8").replace("controler", "random")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated log, tables that go wrong in their own ways, and all study files beside them."""
    folder = tmp_path_factory.mktemp("studies")
    simulate(folder / "log", rows=2400, users=100, items=50, seed=1)
    log = pq.read_table(folder / "log" / "log.parquet")
    last = pc.greater_equal(log["time_ms"], LAST_DAY_MS)
    clicks = pc.if_else(last, pa.scalar(0, pa.int8()), log["click"])
    pq.write_table(log.set_column(log.schema.get_field_index("click"), "click", clicks), folder / "one-class.parquet")
    users = pq.read_table(folder / "log" / "users.parquet")
    pq.write_table(pa.concat_tables([users, users.slice(0, 1)]), folder / "twice.parquet")
    (folder / "words.csv").write_text("user_id,level\nanna,1\nbert,2\n")
    for path in BROKEN:
        shutil.copy(path, folder)
    shutil.copytree(GOLDEN / "parts", folder / "parts")
    return folder


def load(folder: Path, file: Path) -> Problem:
    return load_problem(file, folder / "out" / file.stem)


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_says_what_is_wrong(path: Path, folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(folder, folder / path.name)
    found = str(caught.value).replace(f"{folder}{os.sep}", "") + "\n"
    expected = path.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")


def test_every_mistake_has_a_place() -> None:
    whole_file = {"empty"}
    for path in BROKEN:
        for line in path.with_suffix(".txt").read_text("utf-8").splitlines():
            place = line.split(" ", 1)[0]
            assert line.startswith(" ") or place.count(":") == 3 or path.stem in whole_file, (path.name, line)


def test_there_is_a_text_for_every_file_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in BROKEN}


def good(folder: Path, name: str, change: Callable[[str], str] = lambda text: text) -> Path:
    """A sound study in a folder of its own, beside the log."""
    file = folder / f"{name}.yaml"
    file.write_text(change(GOOD), "utf-8")
    return file


def test_a_sound_study_is_loaded(folder: Path) -> None:
    problem = load(folder, good(folder, "sound"))
    assert problem.config.name == "small"
    assert problem.config.search.strategy == "random"
    assert problem.baseline == load_model(folder / "parts" / "human.yaml")
    assert problem.space.inputs == problem.log.inputs
    assert problem.log.fields == ("user_id", "item_id", "category", "@hour")
    assert problem.log.folder.parent == folder / "out" / "sound" / "data"
    assert problem.document.text == problem.file.read_text()
    again = load(folder, problem.file)
    assert again.log.fingerprint == problem.log.fingerprint
    assert again.space == problem.space


def test_limits_on_cost_bind_the_space(folder: Path) -> None:
    def limited(text: str) -> str:
        return text + "constraints: [params <= 30K, 'count(interaction, cross) <= 1 and flops <= 1G']\n"

    free, bound = load(folder, good(folder, "free")), load(folder, good(folder, "bound", limited))
    default = free.space.default()
    assert free.space.allows(default)
    assert len(bound.space.violations(default)) == 1 + (default.model.cost(free.log.inputs).params > 30_000)
    assert free.space.to_yaml() != bound.space.to_yaml(), "a limit is part of what is searched"
    assert bound.config.limits == ()


@pytest.mark.parametrize(
    ("old", "new", "label"),
    [
        ("label: click", "label: {column: click}", LabelConfig(column="click", name="click")),
        ("label: click", "labels: {ctr: click}", LabelConfig(column="click", name="ctr")),
        (
            "label: click",
            "labels: {cvr: {column: convert, given: click}}",
            LabelConfig(column="convert", given="click", name="cvr"),
        ),
        ("label: click", "label: {column: click, name: tap}", LabelConfig(column="click", name="tap")),
    ],
)
def test_a_label_may_be_written_in_several_ways(folder: Path, old: str, new: str, label: LabelConfig) -> None:
    config = config_of(read(good(folder, "label", lambda text: text.replace(old, new))))
    assert isinstance(config.data, DataConfig)
    assert config.data.label == label


def test_a_file_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml: must be a file, but found nothing there"):
        load_problem(folder / "nowhere.yaml")
    with pytest.raises(InputError, match="must be a file, but found a directory"):
        load_problem(folder)
