"""Seeds belong to what they are made of, and to nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from automl.stats.seeds import seed_of, trial_seeds

parts = st.lists(st.one_of(st.integers(-(10**9), 10**9), st.text(alphabet="abc019", max_size=4)), max_size=4)


def test_seeds_never_change() -> None:
    """They are part of every record: another release must find the same numbers."""
    assert seed_of("weights", 7, "0123456789abcdef", 0) == 5038439453133378262
    assert trial_seeds(0, 1) == {
        "weights": seed_of("weights", 0, 1),
        "order": seed_of("order", 0, 1),
        "repeat": 1,
    }


@settings(deadline=None)
@given(parts, parts)
def test_other_parts_other_seed(a: list[int | str], b: list[int | str]) -> None:
    same = [str(part) for part in a] == [str(part) for part in b]
    assert (seed_of(*a) == seed_of(*b)) is (same or "\x1f".join(map(str, a)) == "\x1f".join(map(str, b)))
    assert 0 <= seed_of(*a) < 1 << 63


def test_an_order_has_its_own_draws_and_so_has_a_study() -> None:
    found = [trial_seeds(study, order) for study in (3, 4) for order in (0, 1)]
    assert len({of[name] for of in found for name in ("weights", "order")}) == 8
