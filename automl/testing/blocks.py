"""The contract between a block's description and its torch module. B batch, N fields, E dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from automl.ranking.blocks import Block, build_block
from automl.testing.holds import hold
from search_spaces.blocks import BlockSpec, Dense, Fields
from search_spaces.knobs import Knob, Value, knobs_of

SHAPES = (Fields(5, 4), Fields(2, 8))
_ROWS = 4
_TRIES = 3  # initial weights under which a weight may happen to have no gradient
_MOST = 64  # a knob's high end as far as it is tried


def hold_block(block: type[BlockSpec] | BlockSpec, shapes: tuple[Fields, ...] = SHAPES) -> None:
    """Hold a block to its contract: with its defaults, and with each knob at its ends; or as it is given.

    Gradients and export are held for the defaults alone: at its end a knob may switch a part off.

    Raises:
        AssertionError: naming the block with its knobs, the fields, and what must hold.
    """
    settings = list(settings_of(block)) if isinstance(block, type) else [block]
    for fields in shapes:
        for spec in settings:
            for check in CHECKS if spec is settings[0] else CHECKS[:IN_ALL_SETTINGS]:
                try:
                    check(spec, fields)
                except AssertionError as error:
                    raise AssertionError(f"{spec} over {fields}: {error}") from None
                except Exception as error:
                    words = f"{check.__name__} must run through, but found {_line(error)}"
                    raise AssertionError(f"{spec} over {fields}: {words}") from error


def settings_of(block: type[BlockSpec]) -> Iterator[BlockSpec]:
    """A block with its defaults, then with one knob after the other at other values."""
    yield block()
    for name, knob in knobs_of(block).items():
        for value in _values(knob):
            try:
                yield block(**{name: value})
            except ValueError:
                continue  # knobs that exclude each other


def hold_shape(spec: BlockSpec, fields: Fields) -> None:
    """The module gives what `out_shape` says: new fields of the same shape, or a flat vector."""
    out = spec.out_shape(fields)
    hold(isinstance(out, Dense) or out == fields, f"out_shape must be Dense or the fields' own, but is {out}")
    for rows in (1, _ROWS):
        expected = (rows, out.width) if isinstance(out, Dense) else (rows, out.count, out.dim)
        found = tuple(_module(spec, fields)(*_inputs(fields, rows)).shape)
        hold(found == expected, f"the output of {rows} rows must be {expected}, but is {found}")


def hold_cost(spec: BlockSpec, fields: Fields) -> None:
    """Weights as counted; FLOPs as PyTorch counts them on the meta device; bytes of what is written."""
    module, cost = _module(spec, fields), spec.cost(fields)
    weights = sum(part.numel() for part in module.parameters())
    hold(cost.params == weights, f"cost must say {weights} params, but says {cost.params}")
    with FlopCounterMode(display=False) as counter:
        module.to("meta")(*(part.to("meta") for part in _inputs(fields, _ROWS)))
    flops = counter.get_total_flops()
    hold(_ROWS * cost.flops == flops, f"cost must say {flops / _ROWS:g} FLOPs a row, but says {cost.flops}")
    hold(cost.bytes > 0, "cost must say how many bytes are written, 4 a number")


def hold_gradients(spec: BlockSpec, fields: Fields) -> None:
    """The gradient is finite, and reaches the fields and every weight."""
    unreached: set[str] = set()
    for seed in range(_TRIES):
        module = _module(spec, fields, seed)
        x0_BNE, x_BNE = (part.requires_grad_() for part in _inputs(fields, 16))
        out = module(x0_BNE, x_BNE)
        (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(seed))).sum().backward()
        found = {**dict(module.named_parameters()), "the fields": x_BNE}
        for name, part in found.items():
            hold(part.grad is None or bool(part.grad.isfinite().all()), f"the gradient of {name} must be finite")
        missing = {name for name, part in found.items() if part.grad is None or not part.grad.any()}
        unreached = missing if seed == 0 else unreached & missing
    hold(not unreached, f"the gradient must reach {', '.join(sorted(unreached))}")


def hold_rows_apart(spec: BlockSpec, fields: Fields) -> None:
    """A row's output is its own, in training and in serving: no row of a batch sees another."""
    module, (x0_BNE, x_BNE) = _module(spec, fields), _inputs(fields, _ROWS)
    for mode, training in (("training", True), ("serving", False)):
        module.train(training)
        whole, alone = module(x0_BNE, x_BNE)[:2], module(x0_BNE[:2], x_BNE[:2])
        hold(torch.allclose(whole, alone, rtol=1e-4, atol=1e-5), f"rows must not see each other in {mode}")


def hold_repeated(spec: BlockSpec, fields: Fields) -> None:
    """Weights are drawn from torch's seed, outputs are not drawn."""
    first, second = _module(spec, fields), _module(spec, fields)
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    hold(all(torch.equal(mine, other) for mine, other in pairs), "one seed must give one set of weights")
    inputs = _inputs(fields, _ROWS)
    hold(torch.equal(first(*inputs), second(*inputs)), "equal weights and rows must give equal outputs")


def hold_exported(spec: BlockSpec, fields: Fields) -> None:
    """torch.export takes the module for any number of rows, and what it made gives the same numbers."""
    module = _module(spec, fields).eval()
    rows = {0: torch.export.Dim("rows")}
    try:
        with torch.no_grad():
            made = torch.export.export(module, _inputs(fields, 8), dynamic_shapes=(rows, rows), strict=False).module()
            inputs = _inputs(fields, 3)
            same = torch.allclose(made(*inputs), module(*inputs), rtol=1e-4, atol=1e-5)
    except Exception as error:
        raise AssertionError(f"torch.export must take it, but found {_line(error)}") from error
    hold(same, "what torch.export made must give the module's numbers")


CHECKS: tuple[Callable[[BlockSpec, Fields], None], ...] = (
    hold_shape,
    hold_cost,
    hold_rows_apart,
    hold_repeated,
    hold_gradients,
    hold_exported,
)
IN_ALL_SETTINGS = 4  # as many of them


def _line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else repr(error)


def _module(spec: BlockSpec, fields: Fields, seed: int = 0) -> Block:
    """The module with weights of a seed; the process's own random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_block(spec, fields)


def _inputs(fields: Fields, rows: int) -> tuple[Tensor, Tensor]:
    """x0 and x, always the same; those of fewer rows are the first of more."""
    rng = torch.Generator().manual_seed(5)
    x_RNE = torch.randn(32, 2, fields.count, fields.dim, generator=rng)
    return x_RNE[:rows, 0].clone(), x_RNE[:rows, 1].clone()


def _values(knob: Knob) -> list[Any]:
    """A knob's ends (a high one as far as it is small), or all its words."""
    if knob.choices:
        return list(knob.choices)
    if knob.kind is bool:
        return [True, False]
    if knob.kind is str:
        return []
    low: Value | None = knob.ge if knob.ge is not None else knob.above
    ends = [low, knob.le if knob.le is not None and knob.le <= _MOST else None]
    found = [knob.kind(end) for end in ends if end is not None]
    return [value for value in found if knob.fault(value) is None and value != knob.default]
