"""Numbers that must outlive a change of the code: recorded once, compared whenever the suite runs.

`python -m tests.pins.pinned` records them anew; that is right only where a change was meant to move a number, and its
commit says which and why. On the kind of machine that recorded them arrays are held to the last bit. On any other one
the kernels of a library may round otherwise: there they are held to a few digits, and choices that hang on a last bit
(proposals) are left out with that reason.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

FILE = Path(__file__).with_name("pinned.json")
LIBRARIES = ("torch", "numpy", "scipy", "lightgbm", "optuna")
CHOSEN = ("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE")  # kernels, by hand
DIGITS = {"rel": 2e-3, "abs": 2e-4}  # of what 50 steps of training amount to, where kernels round otherwise

Arrays = Mapping[str, NDArray[Any]]


def machine() -> dict[str, str]:
    """What the last bit of a number hangs on."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")),
        platform.processor(),
    )
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    simd = " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", ()))
    chosen = {name: os.environ[name] for name in CHOSEN if name in os.environ}
    return {"cpu": cpu, "kernels": torch.backends.cpu.get_cpu_capability(), "simd": simd, **chosen, **versions}


def _cpu_lines() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def same_machine() -> bool:
    return bool(recorded()["machine"] == machine())


def summary(arrays: Arrays) -> dict[str, Any]:
    """A digest of every bit, and a few numbers of each array that a person can compare."""
    digest = hashlib.sha256()
    told: dict[str, Any] = {}
    for name, array in sorted(arrays.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
        flat = np.nan_to_num(np.asarray(array, np.float64)).ravel()
        told[name] = [float(flat.mean()), float(np.sqrt(np.square(flat).mean())), *map(float, flat[:3])]
    return {"digest": digest.hexdigest()[:32], "arrays": told}


def hold_arrays(name: str, arrays: Arrays) -> None:
    """The arrays of that pin are what they were."""
    pin, found = recorded()["pins"][name], summary(arrays)
    assert sorted(found["arrays"]) == sorted(pin["arrays"])
    for array, numbers in found["arrays"].items():
        assert numbers == pytest.approx(pin["arrays"][array], **DIGITS), f"{array} of {name}"
    if same_machine():
        assert found["digest"] == pin["digest"], f"{name} must be the same to the last bit"


def hold_choice(name: str, found: object) -> None:
    """A choice is what it was, on the kind of machine that recorded it."""
    if not same_machine():
        pytest.skip("recorded on another kind of machine, where a last bit may decide otherwise")
    assert found == recorded()["pins"][name]


def hold_numbers(name: str, found: object) -> None:
    """Plain data whose numbers agree to nine digits: sums, tests and intervals, but no training."""
    _agree(found, recorded()["pins"][name], name)


def _agree(found: object, pin: object, at: str) -> None:
    if isinstance(pin, dict):
        assert isinstance(found, dict), at
        assert sorted(found) == sorted(pin), at
        for key in pin:
            _agree(found[key], pin[key], f"{at}.{key}")
    elif isinstance(pin, list):
        assert isinstance(found, list), at
        assert len(found) == len(pin), at
        for k, (one, other) in enumerate(zip(found, pin, strict=True)):
            _agree(one, other, f"{at}[{k}]")
    elif isinstance(pin, float):
        assert found == pytest.approx(pin, rel=1e-9, abs=1e-12, nan_ok=True), at
    else:
        assert found == pin, at


def record(pins: Mapping[str, Callable[[], object]]) -> None:
    """Write what the makers give now."""
    FILE.write_text(json.dumps({"machine": machine(), "pins": {name: make() for name, make in pins.items()}}, indent=1))


if __name__ == "__main__":
    from tests.pins.test_proposals import PROPOSALS
    from tests.pins.test_results import RESULTS
    from tests.pins.test_weights import WEIGHTS, made

    weights = {name: (lambda name=name: summary(made(name))) for name in WEIGHTS}
    record({**weights, **PROPOSALS, **RESULTS})
