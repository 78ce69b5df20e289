"""Seeds belong to what they are made of, and to nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from automl.stats.seeds import seed_of, trial_seeds

parts = st.lists(st.one_of(st.integers(-(10**9), 10**9), st.text(alphabet="abc019", max_size=4)), max_size=4)


def test_seeds_never_change() -> None:
    """They are part of every record: another release must find the same numbers."""
    assert seed_of("weights", 7, "0123456789abcdef", 0) == 5038439453133378262
    assert trial_seeds(0, "k", 1) == {
        "weights": seed_of("weights", 0, "k", 1),
        "order": seed_of("order", 0, 0),
        "repeat": 1,
    }


@settings(deadline=None)
@given(parts, parts)
def test_other_parts_other_seed(a: list[int | str], b: list[int | str]) -> None:
    same = [str(part) for part in a] == [str(part) for part in b]
    assert (seed_of(*a) == seed_of(*b)) is (same or "\x1f".join(map(str, a)) == "\x1f".join(map(str, b)))
    assert 0 <= seed_of(*a) < 1 << 63


def test_arms_are_paired_in_what_they_see_and_apart_in_how_they_start() -> None:
    one, two, again = trial_seeds(3, "one", 0), trial_seeds(3, "two", 0), trial_seeds(3, "one", 1)
    assert one["order"] == two["order"] == again["order"]
    assert len({one["weights"], two["weights"], again["weights"]}) == 3
    assert trial_seeds(4, "one", 0)["order"] != one["order"]
    assert trial_seeds(3, "one", 0, order=5)["order"] == trial_seeds(3, "two", 9, order=5)["order"] != one["order"]
