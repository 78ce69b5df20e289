"""An exported graph as one plain function: what a row costs beside its arithmetic is calls.

The module of torch.export looks weights up one by one, nests and unnests its inputs, and calls operators through the
dispatcher's Python face. Here weights are bound once, those of linear maps as their products read them, what does
nothing is left out, and operators are the ones that torch binds itself, where the table has one that does the same.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from automl.ranking.narrow import WIDE, Narrow, NumbersError, Span, span_of

_ATEN = torch.ops.aten
_BOUND: Mapping[Any, Callable[..., Any]] = {
    _ATEN.linear.default: nn.functional.linear,
    _ATEN.gelu.default: nn.functional.gelu,
    _ATEN.silu.default: nn.functional.silu,
    _ATEN.addcmul.default: torch.addcmul,
    _ATEN.add.Tensor: torch.add,
    _ATEN.add_.Tensor: torch.Tensor.add_,
    _ATEN.sub.Tensor: torch.sub,
    _ATEN.mul.Tensor: torch.mul,
    _ATEN.lt.Tensor: torch.lt,
    _ATEN.ge.Scalar: torch.ge,
    _ATEN.__and__.Tensor: torch.bitwise_and,
    _ATEN.relu.default: torch.relu,
    _ATEN.sigmoid.default: torch.sigmoid,
    _ATEN.tanh.default: torch.tanh,
    _ATEN.softmax.int: torch.softmax,
    _ATEN.layer_norm.default: torch.layer_norm,
    _ATEN.bmm.default: torch.bmm,
    _ATEN.baddbmm.default: torch.baddbmm,
    _ATEN.matmul.default: torch.matmul,
    _ATEN.cat.default: torch.cat,
    _ATEN.index_select.default: torch.index_select,
    _ATEN.sum.dim_IntList: torch.sum,
    _ATEN.mean.dim: torch.mean,
    _ATEN.flatten.using_ints: torch.flatten,
    _ATEN.reshape.default: torch.reshape,
    _ATEN.view.default: torch.Tensor.view,
    _ATEN.view_as.default: torch.Tensor.view_as,
    _ATEN.unsqueeze.default: torch.unsqueeze,
    _ATEN.squeeze.dim: torch.squeeze,
    _ATEN.transpose.int: torch.transpose,
}
_VIEWS = (_ATEN.flatten.using_ints, _ATEN.view.default, _ATEN.view_as.default)
_END = 2**63 - 1  # of a slice that goes to the end


def lean(program: ExportedProgram, narrow: Narrow | None = None) -> Callable[..., Tensor]:
    """The function of a program that gives one tensor and changes none that it holds; it takes what the program takes.
    Its wide products are computed in the numbers of `narrow`.

    Inputs of another type, or of another size where the program fixes it, raise ValueError.

    Raises:
        NumbersError: where these numbers do not fit the graph, or this machine does not have them.
    """
    graph, weights, asked = _taken(program)
    wide = _wide(graph, weights)
    held: dict[fx.Node, Any] = dict(weights)
    if narrow is not None and narrow.spans and len(narrow.spans) != len(wide):
        raise NumbersError("numbers of another graph")
    for number, node in enumerate(wide if narrow is not None else ()):
        assert narrow is not None
        x, weight, *bias = node.args
        node.target, held[weight] = narrow.product(number, weights[weight], weights[bias[0]] if bias else None)
        node.args = (x, weight)
    for node in graph.nodes:
        if node.target == _ATEN.linear.default:
            _turn(node, held)
    graph.eliminate_dead_code()
    for node in graph.nodes:
        node.target = _BOUND.get(node.target, node.target)
    function = partial(fx.GraphModule(nn.Module(), graph).forward, *held.values())
    return _Lean(function, [node.meta["val"] for node in asked])


def wide_products(program: ExportedProgram) -> int:
    """How many products of a program are worth fewer bits."""
    graph, weights, _ = _taken(program)
    return len(_wide(graph, weights))


def spans_of(program: ExportedProgram, inputs: Sequence[Tensor]) -> tuple[Span, ...]:
    """What the inputs of each wide product span over rows that the program takes."""
    graph, weights, _ = _taken(program)
    watch = _Spans(fx.GraphModule(nn.Module(), graph), [node.name for node in _wide(graph, weights)])
    with torch.inference_mode():
        watch.run(*weights.values(), *inputs)
    return tuple(watch.seen[name] for name in watch.names)


class _Spans(fx.Interpreter):
    """Runs a graph and keeps what the inputs of some of its nodes span."""

    def __init__(self, module: fx.GraphModule, names: list[str]) -> None:
        super().__init__(module)
        self.names, self.seen = names, dict[str, Span]()

    def run_node(self, n: fx.Node) -> Any:
        if n.name in self.names:
            self.seen[n.name] = span_of(self.fetch_args_kwargs_from_env(n)[0][0])
        return super().run_node(n)


def _taken(program: ExportedProgram) -> tuple[fx.Graph, dict[fx.Node, Tensor], list[fx.Node]]:
    """Its graph without what does nothing, the weights that the first of its arguments stand for, and the others."""
    graph = copy.deepcopy(program.graph)
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    weights = {node: value for node in placeholders if (value := _held(program, node)) is not None}
    for node in list(graph.nodes):
        same = _same(node)
        if same is not None:
            node.replace_all_uses_with(same)
        if same is not None or node.target == _ATEN._assert_tensor_metadata.default:
            graph.erase_node(node)
    return graph, weights, placeholders[len(weights) :]


def _wide(graph: fx.Graph, weights: Mapping[fx.Node, Tensor]) -> list[Any]:
    """The linear maps by weights of their own that are worth fewer bits, in their order."""
    maps = (node for node in graph.nodes if node.target == _ATEN.linear.default)
    return [node for node in maps if _is_wide(node.args[1], weights)]


def _is_wide(weight: Any, weights: Mapping[fx.Node, Tensor]) -> bool:
    return weight in weights and len(weight.users) == 1 and weights[weight].numel() >= WIDE


class _Lean:
    def __init__(self, function: Callable[..., tuple[Tensor]], asked: list[Tensor]) -> None:
        self._function = function
        self._asked = [(value.dtype, value.dim(), _fixed(value)) for value in asked]

    def __call__(self, *inputs: Tensor) -> Tensor:
        for given, (dtype, dims, fixed) in zip(inputs, self._asked, strict=True):
            shape = given.shape
            if given.dtype != dtype or len(shape) != dims or any(shape[place] != size for place, size in fixed):
                must = f"{dtype} of {dims} dimensions, {dict(fixed)} by place"
                raise ValueError(f"a graph expected {must}, but found {given.dtype} of {tuple(shape)}")
        return self._function(*inputs)[0]


def _fixed(value: Tensor) -> list[tuple[int, int]]:
    """Places and sizes of the dimensions that are the same for every call."""
    return [(place, size) for place, size in enumerate(value.shape) if isinstance(size, int)]


def _held(program: ExportedProgram, node: Any) -> Tensor | None:
    """The weight that an argument of the graph stands for; None of what is given when it is called."""
    told = program.graph_signature
    names = {**told.inputs_to_parameters, **told.inputs_to_buffers, **told.inputs_to_lifted_tensor_constants}
    if node.name not in names:
        return None
    name = names[node.name]
    value: Tensor = program.state_dict[name] if name in program.state_dict else program.constants[name]
    return value.detach()


def _same(node: Any) -> Any:
    """An earlier value that this one equals: of a cast to its own type, of a whole slice, of a view there and back."""
    first = node.args[0] if node.op == "call_function" and node.args else None
    if not isinstance(first, fx.Node):
        return None
    if node.target == _ATEN.to.dtype and node.args[1:] == (first.meta["val"].dtype,):
        return first
    if node.target == _ATEN.slice.Tensor and node.args[2:] == (0, _END):
        return first
    seen: Any = node
    while seen.target in _VIEWS:
        seen = seen.args[0]
        if _shape(seen) == _shape(node):
            return seen
    return None


def _shape(node: Any) -> str:
    return str(tuple(node.meta["val"].shape))


def _turn(node: Any, weights: dict[fx.Node, Any]) -> None:
    """A linear map of rows with a bias reads its weight row by row, which is made so once."""
    x, weight, *bias = node.args
    if bias and weight in weights and len(weight.users) == 1 and x.meta["val"].dim() == 2:
        weights[weight] = weights[weight].t().contiguous()
        node.target, node.args = torch.addmm, (bias[0], x, weight)
