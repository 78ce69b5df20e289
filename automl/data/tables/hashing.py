"""Digests of files, to know data again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.fs as pafs
from filelock import FileLock

from automl.data.tables.table import Table
from automl.files.passed import Passed, unheard
from automl.files.whole import whole_file

_PART_BYTES = 16 << 20


def digest_table(table: Table, cache: Path, passed: Passed = unheard) -> str:
    """Digest of a table's content. Local files are read once; size and time of change tell when to read again.

    Files at an address are known by size and time of change alone: reading them all to hash them costs a download.
    """
    total = hashlib.sha256()
    if isinstance(table.filesystem, pafs.LocalFileSystem):
        for digest in _digest_files(table.files, cache / "digests.json", passed):
            total.update(digest.encode())
    else:
        for info in table.filesystem.get_file_info(list(table.files)):
            total.update(f"{info.size}\x1f{info.mtime_ns}".encode())
    schema = [str(field) for field in table.schema]
    folders = [folder for name in table.relative if "=" in (folder := name.rpartition("/")[0])]
    total.update(json.dumps([schema, folders]).encode())  # partition columns are in the paths, not in the bytes
    return total.hexdigest()


def _digest_files(names: Sequence[str], known_file: Path, passed: Passed) -> list[str]:
    known = _read_known(known_file)
    digests, new, done, total = [], False, 0, sum(Path(name).stat().st_size for name in names)
    for name in names:
        stat = Path(name).stat()
        stamp = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
        before, digest = known.get(name, ("", ""))
        if before == stamp:
            total -= stat.st_size
        else:
            content = hashlib.sha256()
            with Path(name).open("rb") as file:
                while held := file.read(_PART_BYTES):
                    content.update(held)
                    done += len(held)
                    passed("MiB hashed", done >> 20, total >> 20)
            digest = content.hexdigest()
            known[name] = stamp, digest
            new = True
        digests.append(digest)
    if new:
        with FileLock(known_file.with_suffix(".lock")), whole_file(known_file) as part:
            part.write_text(json.dumps(known, indent=0))
    return digests


def _read_known(file: Path) -> dict[str, tuple[str, str]]:
    try:
        known = json.loads(file.read_text())
        return {name: (str(stamp), str(digest)) for name, (stamp, digest) in known.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # never written, or cut off: the files are read again
