"""Candidates inside a narrow band on FLOPs: found where even draws find none, spread over it, and the same by seed."""

from __future__ import annotations

import numpy as np
import pytest

from search_spaces.banded import Band, band_of, reach
from search_spaces.errors import InputError
from search_spaces.space import SearchSpace, load_space
from tests.worlds.studies import HUMAN, INPUTS

SPACE = load_space("ctr-small", INPUTS)
FEWEST, MOST = reach(SPACE.plan, SPACE.flops, np.random.default_rng(0))


def within(low: float, high: float) -> SearchSpace:
    return SPACE.with_where([f"{low:.0f} <= flops <= {high:.0f}"])


@pytest.mark.parametrize(
    ("where", "band"),
    [
        (["2K <= flops <= 4.5K"], Band(2000, 4500)),
        (["params <= 1M", "2K <= flops <= 4K"], Band(2000, 4000)),
        (["flops >= 2K", "flops <= 4K"], None),
        (["flops <= 4K"], None),
        (["2K <= params <= 4K"], None),
        (["not 2K <= flops <= 4K"], None),
    ],
)
def test_a_band_is_one_constraint_with_both_ends(where: list[str], band: Band | None) -> None:
    assert band_of(SPACE.with_where(where).plan.where) == band


def test_how_far_outside_is_told_in_octaves() -> None:
    assert Band(1000, 2000).beyond(np.array([250.0, 1000, 1500, 2000, 8000])).tolist() == [2, 0, 0, 0, 2]


def test_the_ends_of_a_space_are_found_whatever_where_says() -> None:
    drawn = SPACE.flops(SPACE.sample(None, 2000, np.random.default_rng(1)))
    assert drawn.min() >= FEWEST
    assert drawn.max() <= 1.05 * MOST


@pytest.mark.parametrize("share", [0.9, 0.8])
def test_what_is_rare_is_found_and_spread(share: float) -> None:
    space = within(share / 2 * MOST, share * MOST)
    rng = np.random.default_rng(0)
    found = [space.random(rng) for _ in range(12)]
    assert all(space.allows(candidate) for candidate in found)
    assert len({candidate.key for candidate in found}) == 12
    shares = [candidate.model.cost(INPUTS).flops / (share * MOST) for candidate in found]
    assert max(shares) > 0.7 > min(shares)
    again = np.random.default_rng(0)
    assert [candidate.key for candidate in found] == [space.random(again).key for _ in range(12)]


def test_a_band_that_many_draws_keep_changes_no_draw() -> None:
    drawn = SPACE.flops(SPACE.sample(None, 500, np.random.default_rng(1)))
    low, high = np.quantile(drawn, [0.3, 0.7])
    wide = SPACE.with_where([f"flops >= {low:.0f}", f"flops <= {high:.0f}"])
    one, other = np.random.default_rng(2), np.random.default_rng(2)
    assert [within(low, high).random(one).key for _ in range(5)] == [wide.random(other).key for _ in range(5)]


def test_other_constraints_hold_beside_it() -> None:
    space = within(0.3 * MOST, 0.6 * MOST).with_where(["count(interaction, cross) >= 1", "deep.repeat <= 3"])
    assert all(space.allows(space.random(np.random.default_rng(seed))) for seed in range(4))


def test_what_no_candidate_has_is_told() -> None:
    with pytest.raises(InputError, match="none of"):
        within(4 * MOST, 8 * MOST).random(np.random.default_rng(0))


def test_a_candidate_outside_is_moved_inside_and_one_inside_stays() -> None:
    space = within(0.3 * MOST, 0.6 * MOST)
    human = space.nearest(HUMAN)
    assert not space.allows(human)
    moved = space.within_band(human, np.random.default_rng(0))
    assert space.allows(moved)
    rng = np.random.default_rng(0)
    assert space.within_band(moved, rng) == moved
    assert SPACE.within_band(human, rng) == human
    assert rng.random() == np.random.default_rng(0).random(), "and nothing is drawn"
