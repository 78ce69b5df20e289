"""Settings of a process that trains or times models. They belong to the process, so whoever owns it calls this once."""

from __future__ import annotations

import ctypes
import sys

import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc
_KEPT_BYTES = 1 << 30
_PAD_BYTES = 64 << 20
_MMAP_BYTES = 32 << 20  # the most that glibc takes


def prepare_process(threads: int = 1) -> None:
    """Threads of torch's operators, freed memory kept, torch's lazy imports done."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    weight = torch.ones(1, requires_grad=True)
    torch.autograd.backward(weight * 2, torch.ones(1))


def keep_freed_memory() -> bool:
    """Let malloc keep what is freed, up to 1 GiB: whether the C library could be told so (glibc only).

    Else activations of a megabyte are mapped and unmapped at every step, and page faults make up a third of a batch's
    time and nearly all of its spread.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    settings = ((_M_MMAP_THRESHOLD, _MMAP_BYTES), (_M_TRIM_THRESHOLD, _KEPT_BYTES), (_M_TOP_PAD, _PAD_BYTES))
    taken = [mallopt(ctypes.c_int(name), ctypes.c_int(value)) == 1 for name, value in settings]
    return all(taken)
