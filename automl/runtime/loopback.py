"""A Ray of this machine alone: what it starts listens on 127.0.0.1, and on no other address."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Ray's own switch for systems on which it joins no machines. Off, a node's address is that of the loopback device, on
# which all its servers then listen; on, they listen on every address that the machine has.
_SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_CONSTANTS = "ray._private.ray_constants"  # the switch as it stood when Ray was imported


@contextmanager
def loopback_only() -> Iterator[None]:
    """Within the block a Ray that starts is such a one."""
    constants, before = sys.modules.get(_CONSTANTS), os.environ.get(_SWITCH)
    imported = getattr(constants, "ENABLE_RAY_CLUSTER", None)
    os.environ[_SWITCH] = "0"  # for the processes that it starts
    if imported is not None:
        setattr(constants, "ENABLE_RAY_CLUSTER", False)  # noqa: B010  # a module of which mypy knows nothing
    try:
        yield
    finally:
        del os.environ[_SWITCH]
        if before is not None:
            os.environ[_SWITCH] = before
        if imported is not None:
            setattr(constants, "ENABLE_RAY_CLUSTER", imported)  # noqa: B010
