from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from automl.exfm.das.counts import Counts
from automl.exfm.das.places import need_place
from automl.exfm.das.tables import TickTable
from search_spaces.errors import InputError
from tests.worlds.folders import HOSTILE

SCHEMA = pa.schema([("tick", pa.int64()), ("window", pa.string()), ("row", pa.int64())])
REFUSED = {"exp[1]", "a?b", "x#y", "100%41", "%2F", "back\\slash", "line\nbreak", "[red]"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_lies_in_its_folder_or_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    if name in REFUSED:
        with pytest.raises(InputError, match=r"must have a path where Delta tables can be read, but found .* in it"):
            need_place(folder)
        return
    need_place(folder)
    table = TickTable(folder / "das", SCHEMA, {"policy": "p"})
    table.append(0, 1, pa.table({"tick": [0], "window": ["a"], "row": [7]}, SCHEMA), Counts())
    again = TickTable(folder / "das", SCHEMA, {"policy": "p"})
    assert again.ticks == 1
    assert again.read(["row"], pa.compute.field("tick") == 0)["row"].to_pylist() == [7]
    assert [path.name for path in tmp_path.iterdir()] == [name]
