"""The page on clusters: its manifest is one that KubeRay takes, and its numbers are the code's."""

from __future__ import annotations

from typing import Any

import jsonschema
from ruamel.yaml import YAML

from automl.runtime.carried import HOME, UNUSED_S
from automl.runtime.depot import PIECE_BYTES
from automl.runtime.lock import BEAT_S, GONE_S
from automl.runtime.lost import RUNS
from tests.docs.pages import ROOT, page

_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
_QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": r"^\d+(\.\d+)?(m|[KMGT]i?)?$"}}


def _object(needed: tuple[str, ...], **known: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(needed), "properties": known, "additionalProperties": False}


def _list(of: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least}


_CONTAINER = _object(
    ("name", "image"),
    name={"type": "string"},
    image={"type": "string"},
    env=_list(
        _object(
            ("name",),
            name={"type": "string"},
            value={"type": "string"},
            valueFrom=_object(("secretKeyRef",), secretKeyRef=_TEXTS),
        )
    ),
    resources=_object((), requests=_QUANTITIES, limits=_QUANTITIES),
    volumeMounts=_list(_object(("name", "mountPath"), name={"type": "string"}, mountPath={"type": "string"})),
)
_VOLUME = _object(
    ("name",),
    name={"type": "string"},
    emptyDir=_object((), medium={"enum": ["", "Memory"]}, sizeLimit={"type": "string"}),
    persistentVolumeClaim=_object(("claimName",), claimName={"type": "string"}),
)
_POD = _object((), spec=_object(("containers",), containers=_list(_CONTAINER, 1), volumes=_list(_VOLUME)))
_COUNT = {"type": "integer", "minimum": 0}
# The part of the RayCluster's schema (ray.io/v1) and of a pod's that the manifest uses; what is not here is a mistake.
_SCHEMA = _object(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayCluster"},
    metadata=_object(("name",), name={"type": "string"}),
    spec=_object(
        ("headGroupSpec",),
        rayVersion={"type": "string"},
        enableInTreeAutoscaling={"type": "boolean"},
        autoscalerOptions=_object((), idleTimeoutSeconds=_COUNT),
        headGroupSpec=_object(("rayStartParams", "template"), rayStartParams=_TEXTS, template=_POD),
        workerGroupSpecs=_list(
            _object(
                ("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
                groupName={"type": "string"},
                replicas=_COUNT,
                minReplicas=_COUNT,
                maxReplicas=_COUNT,
                rayStartParams=_TEXTS,
                template=_POD,
            )
        ),
    ),
)


def manifest() -> Any:
    return YAML(typ="safe").load((ROOT / "docs" / "raycluster.yaml").read_text())


def test_the_manifest_is_a_ray_cluster() -> None:
    jsonschema.validate(manifest(), _SCHEMA)


def test_its_volumes_are_there_and_its_version_is_the_pinned_one() -> None:
    spec = manifest()["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert f"ray=={spec['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()


def test_what_the_page_says_is_so() -> None:
    text = page("cluster.md")
    assert f"in pieces of {PIECE_BYTES >> 20} MiB" in text
    assert "until no run has used it for a day" in text
    assert UNUSED_S == 24 * 3600
    assert "One that loses three machines has failed" in text
    assert RUNS == 3
    assert f"`{HOME}` names the folder" in text
    assert f"it gives one every {BEAT_S:.0f} seconds, and after a minute without one the folder is free" in text
    assert GONE_S == 60
