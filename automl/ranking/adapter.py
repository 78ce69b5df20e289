"""The student adapter: a tiny map from the teacher's logit to the student's labels, trained on fresh labels alone.

    a(z) = s * z + b + v . tanh(u * z + c)

It starts as the identity. In NumPy and in closed form: a step of a few thousand numbers is not worth a graph, and what
it takes is the number of calls. B batch, N rows, K hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl.ranking.place import fetch, put

Floats = NDArray[np.float32]
_BETAS, _EPS = (0.9, 0.999), 1e-8


def basis_of(logits_N: Tensor) -> Tensor:
    """What an adapter reads (2, N): the logits, and ones."""
    return torch.stack([logits_N, torch.ones_like(logits_N)])


class Adapter:
    """Weights and Adam of one adapter; the order of the vector is s, b, u, c, v."""

    def __init__(self, width: int, lr: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 11])
        self.weights = np.zeros(2 + 3 * width, np.float32)
        self.weights[0] = 1.0
        self.weights[2 : 2 + 2 * width] = rng.normal(size=2 * width)
        self._lr, self._steps = lr, 0
        self._grads = np.zeros_like(self.weights)
        self._means, self._squares = np.zeros_like(self.weights), np.zeros_like(self.weights)
        self._parts, self._grad_parts = _parts(self.weights, width), _parts(self._grads, width)

    def __call__(self, basis_2B: Tensor) -> Tensor:
        return put(self._forward(fetch(basis_2B))[0])

    def step(self, basis_2B: Tensor, labels_B: Tensor, weights_B: Tensor) -> Tensor:
        """One step on the weighted cross entropy, 0 where the teacher is silent; what it gives from then on."""
        basis, weights = fetch(basis_2B), fetch(weights_B)
        out_B, hidden_KB = self._forward(basis)
        error_B = fetch(put(out_B).sigmoid_().sub_(labels_B))  # torch's sigmoid is vectorised
        error_B *= weights
        error_B /= max(float(weights.sum()), 1.0)
        self._gradient(error_B, basis, hidden_KB)
        self._adam()
        return put(self._forward(basis)[0])

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on; copies."""
        parts = {"weights": self.weights, "means": self._means, "squares": self._squares}
        return {**{name: put(part.copy()) for name, part in parts.items()}, "steps": torch.tensor(self._steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state."""
        for name, part in (("weights", self.weights), ("means", self._means), ("squares", self._squares)):
            part[:] = fetch(state[name])
        self._steps = int(state["steps"])

    def _forward(self, basis_2B: Floats) -> tuple[Floats, Floats]:
        """Logits, and the hidden units (K, B): long rows, as NumPy's loops over short ones cost more than the sums."""
        outer_2, inner_K2, v_K = self._parts
        out_B: Floats = outer_2 @ basis_2B
        hidden_KB: Floats = inner_K2 @ basis_2B
        if len(v_K):
            np.tanh(hidden_KB, out=hidden_KB)
            out_B += v_K @ hidden_KB
        return out_B, hidden_KB

    def _gradient(self, error_B: Floats, basis_2B: Floats, hidden_KB: Floats) -> None:
        """To where it is kept; the hidden units are overwritten."""
        outer_2, inner_K2, v_K = self._grad_parts
        np.matmul(basis_2B, error_B, out=outer_2)
        if len(v_K):
            np.matmul(hidden_KB, error_B, out=v_K)
            hidden_KB *= hidden_KB
            np.subtract(outer_2, hidden_KB @ (basis_2B * error_B).T, out=inner_K2)
            inner_K2 *= self._parts[2][:, None]

    def _adam(self) -> None:
        self._steps += 1
        beta1, beta2 = _BETAS
        grads, means, squares = self._grads, self._means, self._squares
        means += np.float32(1 - beta1) * (grads - means)
        squares += np.float32(1 - beta2) * (grads * grads - squares)
        scale = math.sqrt(1 - beta2**self._steps)
        deviations = np.sqrt(squares)
        deviations += np.float32(_EPS * scale)
        np.divide(means, deviations, out=deviations)
        deviations *= np.float32(self._lr * scale / (1 - beta1**self._steps))
        self.weights -= deviations


def _parts(vector: Floats, width: int) -> tuple[Floats, Floats, Floats]:
    """Views: (s, b), (u, c) by hidden unit, v."""
    inner_K2 = vector[2 : 2 + 2 * width].reshape(2, width).T
    return vector[:2], inner_K2, vector[2 + 2 * width :]
