"""Tables on disk to encoded, memory-mapped columns; time windows; the click simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.data.encode import encode_log
    from automl.data.store import EncodedLog, open_log

__all__ = ["EncodedLog", "encode_log", "open_log"]


def __getattr__(name: str) -> Any:
    """Loaded when first used: what serves a model reads tables without what encodes them."""
    if name == "encode_log":
        from automl.data.encode import encode_log

        return encode_log
    if name in {"EncodedLog", "open_log"}:
        from automl.data import store

        return getattr(store, name)
    raise AttributeError(f"module 'automl.data' has no attribute {name!r}")
