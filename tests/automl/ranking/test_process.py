from __future__ import annotations

import sys

import pytest
import torch

from automl.ranking.process import keep_freed_memory, prepare_process


def test_sets_threads() -> None:
    threads = torch.get_num_threads()
    try:
        prepare_process(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)


def test_elsewhere_than_on_linux_memory_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
