from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from automl.data.tables.hashing import digest_table
from automl.data.tables.table import open_table
from search_spaces.errors import Position


def digest(folder: Path, cache: Path, path: str = "log.parquet") -> str:
    return digest_table(open_table(path, folder, Position("study.yaml")), cache)


def test_a_table_is_read_again_only_where_it_has_changed(tmp_path: Path) -> None:
    cache, file = tmp_path / "cache", tmp_path / "log.parquet"
    cache.mkdir()
    pq.write_table(pa.table({"x": [1, 2]}), file)
    first = digest(tmp_path, cache)
    known = cache / "digests.json"
    stamp = known.stat().st_mtime_ns, known.stat().st_ino
    assert digest(tmp_path, cache) == first
    assert (known.stat().st_mtime_ns, known.stat().st_ino) == stamp
    pq.write_table(pa.table({"x": [1, 3]}), file)
    assert digest(tmp_path, cache) != first
    known.write_text("{")  # cut off
    pq.write_table(pa.table({"x": [1, 2]}), file)
    assert digest(tmp_path, cache) == first


def test_where_a_table_lies_does_not_matter_but_its_partitions_do(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2]})
    for path in ("here/log.parquet", "there/log.parquet", "parts/day=1/log.parquet", "others/day=2/log.parquet"):
        (tmp_path / path).parent.mkdir(parents=True)
        pq.write_table(table, tmp_path / path)
    cache = tmp_path / "cache"
    cache.mkdir()
    assert digest(tmp_path / "here", cache) == digest(tmp_path / "there", cache)
    assert digest(tmp_path, cache, "parts") != digest(tmp_path, cache, "others")


def test_many_at_once_write_one_file_of_digests(tmp_path: Path) -> None:
    cache, folders = tmp_path / "cache", [tmp_path / f"log-{k}" for k in range(8)]
    cache.mkdir()
    for k, folder in enumerate(folders):
        folder.mkdir()
        pq.write_table(pa.table({"x": [k]}), folder / "log.parquet")
    with ThreadPoolExecutor(len(folders)) as pool:
        found = list(pool.map(lambda folder: digest(folder, cache), folders))
    assert len(set(found)) == len(folders)
    assert found == [digest(folder, cache) for folder in folders]
    assert not list(cache.glob("*.part"))
