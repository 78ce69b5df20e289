"""The machines of a cluster, as Ray's books have them, and work that is tied to one of them. Ray must be up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Node = Mapping[str, Any]


def nodes() -> list[Node]:
    """All that are or were of the cluster."""
    import ray

    found: list[Node] = ray.nodes()  # type: ignore[no-untyped-call]
    return found


def own_node() -> str:
    """Ray's name of this process's machine."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


def address_of(node: Node) -> str:
    """Where its raylet answers, host:port."""
    return f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"


def on(node: str, made: Callable[..., Any], *, name: str | None = None, **options: Any) -> Any:
    """A function or class of Ray's that runs on that node alone, and holds none of its cores; `name` is an actor's."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    far: Any = ray
    named = {} if name is None else {"name": name}
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    return far.remote(num_cpus=0, **options)(made).options(scheduling_strategy=there, **named)
