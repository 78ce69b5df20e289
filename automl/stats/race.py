"""The finals' race: trainings go where they decide.

After FIRST_LOOK orders of the data, picks that cannot win any more are trained no further, and what that saves goes to
more orders of the others and of the baseline. Three rules keep the intervals honest:

- A pick is only ever dropped because it would not win. To stop for futility can take claims away, never add one; so
  nothing is spent of the level, and no pick is called better early (with three orders, no bound that may be called safe
  could be reached).
- A pick that goes on has one more look, its last, at a number of orders that is the same for all that go on and that
  its own gain did not choose.
- The interval of a dropped pick is that of the orders it ran.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from scipy.special import ndtri

from automl.stats.significance import Gain, detectable_pct, verdict
from automl.stats.verdicts import LEVEL, Verdict

FIRST_LOOK: Final = 3  # orders
MOST: Final = 2  # times the seeds asked for, of orders of one model
_WON = (Verdict.BETTER, Verdict.FASTER)


def is_race(seeds: int) -> bool:
    """Whether there are orders left after the look."""
    return seeds > FIRST_LOOK


def can_win(found: Sequence[Gain], fast: Sequence[bool], seeds: int, margin_pct: float) -> tuple[bool, ...]:
    """Of picks as they stand at the look: which may still be called better or faster once all `seeds` orders are run.

    The gain over all orders is about that of the first ones, give or take what the orders to come may do. Where even
    the lower end of that (95%) leaves an interval that earns neither verdict, a pick cannot win. The spread over orders
    is its own, or that of all picks where that is larger: three orders that agree by chance must not drop it. `fast`:
    it may be fast enough to be called faster.
    """
    pooled = math.sqrt(sum(gain.order_std_pct**2 for gain in found) / len(found)) if found else 0.0
    return tuple(
        _can_win(gain, max(gain.order_std_pct, pooled), is_fast, seeds, margin_pct)
        for gain, is_fast in zip(found, fast, strict=True)
    )


def _can_win(gain: Gain, order_std_pct: float, fast: bool, seeds: int, margin_pct: float) -> bool:
    if verdict(gain, math.inf if fast else 0.0, margin_pct) in _WON:
        return True
    to_come = order_std_pct * math.sqrt(1 / gain.orders - 1 / seeds)
    lowest = gain.pct - float(ndtri(1 - LEVEL / 2)) * to_come
    ends = lowest + detectable_pct(order_std_pct, seeds, gain.examples_std_pct, gain.examples_freedom)
    return ends < 0 or (fast and ends <= margin_pct)


def orders_of_the_rest(picks: int, left: int, seeds: int) -> int:
    """On how many orders `left` of so many picks and the baseline are trained, so that all trainings together are at
    most those of `seeds` orders of everyone."""
    if not left:
        return FIRST_LOOK
    spare = (seeds - FIRST_LOOK) * (picks + 1)
    return min(MOST * seeds, FIRST_LOOK + spare // (left + 1))
