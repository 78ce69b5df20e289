"""Seeds as a hash of what they belong to, so that a number is the same whenever and wherever it is asked."""

from __future__ import annotations

import hashlib


def seed_of(*parts: str | int) -> int:
    """A 63-bit seed from its parts."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def trial_seeds(study_seed: int, order: int) -> dict[str, int]:
    """Of a training on an order: `weights` (initial weights, dropout) and `order` (of the data), no model's own.

    A search trains every trial on order 0 and repeats some on orders 1, 2 and so on, the baseline on all of these: the
    order moves all models alike (on KuaiRand by more than any gain), so that it must not stand between a candidate and
    its baseline. Finals go through other orders. What two models have in common starts alike: that takes a fifth of
    the spread over orders of their difference (KuaiRand, six models x six orders).
    """
    return {
        "weights": seed_of("weights", study_seed, order),
        "order": seed_of("order", study_seed, order),
        "repeat": order,
    }
