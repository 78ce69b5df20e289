"""What is put, fetched, found equal and drawn; and that no other module knows where the numbers are."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import automl
from automl.ranking import place
from automl.ranking.place import (
    PROCESSOR,
    CpuClock,
    Distinct,
    DistinctRows,
    Noise,
    PaddedRows,
    copied_to,
    device_of,
    fetch,
    put,
    seeded,
    write_rows,
)
from search_spaces.errors import InputError

ROOT = Path(automl.__file__).parent
ELSEWHERE = ROOT / "exfm" / "das"  # knows no tensors
PLACES = {"cpu", "cuda", "mps", "xpu", "meta"}
METHODS = {"numpy", "from_numpy", "as_tensor", "cpu", "cuda", "pin_memory"}


def says_where(source: str) -> list[str]:
    """Names of devices, and calls and attributes that move numbers, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in METHODS:
                found.append(f"{node.lineno}: {name}()")
            case ast.Attribute(attr="device" | "Stream"):
                found.append(f"{node.lineno}: .{node.attr}")
            case ast.keyword(arg="device" | "devices"):
                found.append(f"{node.value.lineno}: {node.arg}=")
            case ast.Constant(value=str(word)) if word.partition(":")[0] in PLACES:
                found.append(f"{node.lineno}: {word!r}")
    return found


@pytest.mark.parametrize("room", ["ranking", "exfm"])
def test_only_this_module_knows_where_the_numbers_are(room: str) -> None:
    files = [file for file in sorted((ROOT / room).rglob("*.py")) if ELSEWHERE not in file.parents]
    found = {file.name: says_where(file.read_text()) for file in files if file.name != "place.py"}
    assert len(found) > 15
    assert not {name: lines for name, lines in found.items() if lines}


def test_the_rule_sees_what_it_forbids() -> None:
    assert says_where((ROOT / "ranking" / "place.py").read_text())
    lines = ["x.numpy()", "torch.from_numpy(a)", "x.to('cuda:0')", "f(device=d)", "x.device", "x.cpu()"]
    assert [len(says_where(line)) for line in lines] == [1] * len(lines)
    assert not says_where("import numpy as np\nx = np.zeros(3)\nx.to_numpy()")


def test_what_can_be_written_is_shared_and_a_map_is_copied() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert np.shares_memory(fetch(put(array)), array)
    array.flags.writeable = False
    copied = put(array)
    assert not np.shares_memory(fetch(copied), array)
    assert np.array_equal(fetch(copied), array)
    assert copied.dtype == torch.int32


def test_a_module_that_is_on_the_processor_stays_itself() -> None:
    layer = torch.nn.Linear(2, 3)
    assert copied_to(layer, PROCESSOR) is layer


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_told() -> None:
    assert device_of("cpu") == PROCESSOR
    with pytest.raises(InputError, match="must be on a machine with a GPU"):
        device_of("gpu")


def test_a_seed_decides_what_is_drawn_and_leaves_the_process_alone() -> None:
    before = torch.random.get_rng_state()
    drawn = []
    for seed in (1, 1, 2):
        with seeded(seed):
            drawn.append(torch.rand(3))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_noise_is_uniform_over_16_bits_and_its_seed_starts_it_again() -> None:
    noise, like = Noise(3), torch.empty(400_001)
    first = noise.int16(like)
    assert first.dtype == torch.int16
    assert len(first) == 400_001
    counts = torch.histc(first.float(), bins=16, min=-(2.0**15), max=2.0**15)
    assert (counts / len(first)).tolist() == pytest.approx([1 / 16] * 16, abs=0.003)
    assert not torch.equal(noise.int16(like), first)
    noise.reseed(3)
    assert torch.equal(noise.int16(like), first)


def test_the_clock_counts_work_and_not_sleep() -> None:
    ran = []
    assert CpuClock().seconds(None, 8, lambda: ran.append(sum(range(10_000)))) >= 0
    assert len(ran) == 1


@pytest.mark.parametrize(("distinct", "large"), [(DistinctRows(31), 0), (DistinctRows(31), 10**6), (PaddedRows(), 0)])
@given(rows=st.lists(st.integers(0, 30), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_distinct_rows_sum_like_a_loop(distinct: Distinct, large: int, rows: list[int]) -> None:
    """All ways to sort: on the processor rows of a small table are counted, of a large one the places are sorted."""
    keys = np.array(rows, np.int32)
    grads = torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "LARGE", large)
        found_U, grad_UE = distinct.sum(torch.from_numpy(keys), grads)
    known = sorted(set(rows))
    assert found_U.tolist() == known + known[-1:] * (len(found_U) - len(known))
    for row, total in zip(found_U.tolist(), grad_UE, strict=True):
        torch.testing.assert_close(total, grads[keys == row].sum(0))


@pytest.mark.parametrize("dim", [1, 3, 16])
def test_rows_are_written_as_index_copy_writes_them(dim: int) -> None:
    ours, theirs = torch.zeros(50, dim), torch.zeros(50, dim)
    rows = torch.randperm(50, generator=torch.Generator().manual_seed(2))[:20]
    values = torch.randn(20, dim, generator=torch.Generator().manual_seed(3))
    write_rows(ours, rows, values)
    theirs.index_copy_(0, rows, values)
    assert torch.equal(ours, theirs)
    write_rows(ours, rows[:0], values[:0])
    assert torch.equal(ours, theirs)
