"""Tables on disk to encoded, memory-mapped columns; time windows; the click simulator."""

from automl.data.encode import encode_log
from automl.data.store import EncodedLog, open_log

__all__ = ["EncodedLog", "encode_log", "open_log"]
