"""Seeds as a hash of what they belong to, so that a number is the same whenever and wherever it is asked."""

from __future__ import annotations

import hashlib


def seed_of(*parts: str | int) -> int:
    """A 63-bit seed from its parts."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def trial_seeds(study_seed: int, key: str, repeat: int, order: int = 0) -> dict[str, int]:
    """`weights` (initial weights, dropout) are of a model and repeat; `order` (of the data) is shared by all models.

    A search trains every trial on order 0 and repeats some on orders 1, 2 and so on, the baseline on all of these: the
    order moves all models alike (on KuaiRand by more than any gain), so that it must not stand between a candidate and
    its baseline. Finals go through other orders.
    """
    return {
        "weights": seed_of("weights", study_seed, key, repeat),
        "order": seed_of("order", study_seed, order),
        "repeat": repeat,
    }
