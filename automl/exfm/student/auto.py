"""`distill: auto`: which arm serves, from what the stream has shown so far. It never looks ahead.

Arms are whole students, trained side by side from one start on the same rows in the same order, so that they differ by
their recipe alone. After every window each has a progressive loss on rows that it had not learnt from. The arm whose
discounted loss is lowest serves the next window. One arm has no teacher: where the teacher harms, it serves.

What the teacher says is calibrated before any arm hears it: a scale and a shift of its logits, fitted to the labels
that have arrived. It is muted, for all arms at once, while its discounted loss on the student's rows, calibrated on the
windows before, is more than 1% above that of the arm without one. (A teacher that is no better than its student still
teaches: two days old it is no better on KuaiRand, and plain distillation gains .2 to .3% from it.) Arms that stay far
behind are dropped for good, to save their training; the arm without a teacher never is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from automl.study.exfm_figures import NONE

DISCOUNT = 0.8  # of a window's evidence, each window later
MUTE_AT = 0.01  # of the loss without a teacher: how much worse a teacher may be and still be heard
DROP_AT = 4.0  # standard errors behind the best
DROP_AFTER = 7  # windows of evidence

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Evidence:
    """Discounted sum of an arm's loss minus that of the arm without a teacher, and its variance over the rows."""

    total: float = 0.0
    variance: float = 0.0

    def add(self, differences_N: Floats) -> None:
        self.total = DISCOUNT * self.total + float(differences_N.sum())
        self.variance = DISCOUNT**2 * self.variance + float((differences_N**2).sum())


@dataclass(slots=True)
class Chooser:
    """Keeps the evidence of every arm; `choice` serves the next window, `alive` are trained on it."""

    arms: Sequence[str]
    evidence: dict[str, Evidence] = field(default_factory=dict)
    teacher: Evidence = field(default_factory=Evidence)
    untaught: float = 0.0  # discounted loss without a teacher, where the teacher spoke
    windows: int = 0

    def __post_init__(self) -> None:
        if NONE not in self.arms:
            raise ValueError(f"the arms of auto must hold {NONE}, but found {', '.join(self.arms)}")
        self.evidence = {arm: Evidence() for arm in self.arms}

    @property
    def alive(self) -> tuple[str, ...]:
        return tuple(self.evidence)

    @property
    def choice(self) -> str:
        """The arm of least discounted loss; without evidence the one without a teacher."""
        known = [arm for arm, evidence in self.evidence.items() if math.isfinite(evidence.total)]
        return min(known, key=lambda arm: (self.evidence[arm].total, arm != NONE), default=NONE)

    @property
    def muted(self) -> bool:
        """Whether the teacher has nothing to teach: unheard of so far, or clearly worse than the student."""
        return self.untaught == 0.0 or self.teacher.total > MUTE_AT * self.untaught

    def see(self, losses_N: dict[str, Floats], teacher_N: Floats | None) -> None:
        """Log losses of a window's rows by arm, told after all of them scored it; NaN where the teacher is silent."""
        if not len(losses_N[NONE]):
            return
        self.windows += 1
        for arm, evidence in self.evidence.items():
            evidence.add(losses_N[arm] - losses_N[NONE])
        if teacher_N is not None:
            known_N = np.isfinite(teacher_N)
            self.teacher.add(teacher_N[known_N] - losses_N[NONE][known_N])
            self.untaught = DISCOUNT * self.untaught + float(losses_N[NONE][known_N].sum())
        self._drop()

    def _drop(self) -> None:
        if self.windows < DROP_AFTER:
            return
        best = self.evidence[self.choice]
        for arm, evidence in list(self.evidence.items()):
            error = math.sqrt(evidence.variance + best.variance)
            if arm not in (NONE, self.choice) and not evidence.total - best.total <= DROP_AT * error:  # NaN: broken
                del self.evidence[arm]
