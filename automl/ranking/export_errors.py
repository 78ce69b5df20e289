"""What stops an export."""

from __future__ import annotations


class ExportError(Exception):
    """What was exported does not predict what the model predicts; nothing was written."""
