"""Limits that end the process itself, seen from outside; and what they leave behind."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from automl.runtime.limits import MemoryWatch, anonymous_bytes, held_bytes, read_note, time_limit, write_note
from automl.study.history import Failure
from tests.worlds.processes import PATIENCE_S

HEAD = """
import ctypes, sys, time
from pathlib import Path
from automl.runtime.limits import MemoryWatch, time_limit
folder = Path(sys.argv[1])
hang = ctypes.PyDLL(None).sleep  # the C library's sleep, called without letting the GIL go
"""


def run(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    """A process of its own; it must end by itself."""
    code = HEAD + textwrap.dedent(body)
    return subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=PATIENCE_S)


def test_a_hang_with_the_gil_held_ends(tmp_path: Path) -> None:
    done = run(tmp_path, "with time_limit(0.5, folder / 'stack'):\n    hang(1000)\nprint('never')")
    assert done.returncode == 1
    assert done.stdout == ""
    stack = (tmp_path / "stack").read_text()
    assert stack.startswith("Timeout (")
    assert 'File "<string>", line' in stack


def test_a_hang_that_lets_the_gil_go_ends_too(tmp_path: Path) -> None:
    done = run(tmp_path, "with time_limit(0.5, folder / 'stack'):\n    time.sleep(1000)")
    assert done.returncode == 1
    assert "Timeout (" in (tmp_path / "stack").read_text()


def test_a_limit_that_is_used_up_ends_at_once(tmp_path: Path) -> None:
    assert run(tmp_path, "with time_limit(-3.0, folder / 'stack'):\n    hang(1000)").returncode == 1
    assert "Timeout (" in (tmp_path / "stack").read_text()


def test_what_keeps_its_limit_goes_on(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        for turn in range(3):
            with time_limit(1.5, folder / "stack"):
                time.sleep(0.02)
        try:
            with time_limit(1.5, folder / "stack"):
                raise KeyError("inside")
        except KeyError:
            pass
        time.sleep(2.0)  # longer than any limit: none is left armed
        print("alive")
        """,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
    assert (tmp_path / "stack").read_text() == ""


def test_memory_above_the_limit_ends_the_process_with_a_note(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        watch = MemoryWatch()
        watch.begin(64 << 20, folder / "note.json")
        held = [bytearray(b"x" * (8 << 20)) for _ in range(16)]
        time.sleep(1000)
        """,
    )
    assert done.returncode == 1
    note = read_note(tmp_path / "note.json")
    assert note is not None
    assert note.kind == "memory"
    words = note.reason.split()
    assert note.reason == f"held {words[1]} MiB, above its limit of 64 MiB"
    assert 64 <= int(words[1]) < 256


def test_a_process_whose_c_code_holds_the_gil_is_seen_from_outside(tmp_path: Path) -> None:
    code = HEAD + textwrap.dedent(
        """
        watch = MemoryWatch()
        watch.begin(64 << 20, folder / "job.seed-0.json")
        write = ctypes.PyDLL(None).write
        sys.setswitchinterval(1000)  # between two calls nothing else runs either
        held = bytearray(b"x" * (128 << 20))
        write(1, b"held\\n", 5)
        hang(1000)
        """
    )
    assert held_bytes(tmp_path, "job.seed-0") == 0
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        found = held_bytes(tmp_path, "job.seed-0")
        assert process.poll() is None
        process.kill()
    assert 100 << 20 < found < 400 << 20
    assert held_bytes(tmp_path, "job.seed-0") == 0, "it is over"


def test_memory_counts_from_where_the_job_began_and_only_while_it_runs(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        before = bytearray(b"x" * (100 << 20))
        watch = MemoryWatch()
        watch.begin(64 << 20, folder / "first.json")
        time.sleep(0.3)
        watch.end()
        between = bytearray(b"x" * (100 << 20))
        time.sleep(0.3)
        watch.begin(64 << 20, folder / "second.json")
        time.sleep(0.3)
        watch.end()
        print("alive")
        """,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_mapped_data_is_not_ours(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import mmap
        big = folder / "big"
        big.write_bytes(bytes(100 << 20))
        watch = MemoryWatch()
        watch.begin(64 << 20, folder / "note.json")
        with big.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            total = sum(data[i] for i in range(0, len(data), 4096))
            time.sleep(0.3)
        print("alive", total)
        """,
    )
    assert (done.returncode, done.stdout) == (0, "alive 0\n"), done.stderr


def test_anonymous_memory_grows_with_what_is_held(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        from automl.runtime.limits import anonymous_bytes
        before = anonymous_bytes()
        held = bytearray(64 << 20)
        held[::4096] = b"x" * len(held[::4096])
        print(anonymous_bytes() - before)
        """,
    )
    assert 60 << 20 < int(done.stdout) < 90 << 20


def test_a_note_comes_back(tmp_path: Path) -> None:
    failure = Failure("memory", 'held 3 "MiB"\n\udcff')
    write_note(tmp_path / "note.json", failure)
    assert read_note(tmp_path / "note.json") == failure


@pytest.mark.parametrize("text", [None, "", "[", '["memory", "held 3'])
def test_what_is_no_note_is_none(tmp_path: Path, text: str | None) -> None:
    """A process may die in the middle of writing one."""
    path = tmp_path / "note.json"
    if text is not None:
        path.write_text(text)
    assert read_note(path) is None


def test_a_watch_that_was_never_begun_leaves_its_process_alone(tmp_path: Path) -> None:
    MemoryWatch().end()
    with time_limit(30.0, tmp_path / "stack"):
        assert anonymous_bytes() > 0
