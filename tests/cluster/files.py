"""The files in `cluster/`, and what is wrong with them by the schemas of those who read them."""

from __future__ import annotations

import functools
import json
import lzma
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
CLUSTER = REPOSITORY / "cluster"
KUBERNETES = ("kuberay-base.yaml", "kuberay-secret.example.yaml", "kuberay-rayjob.yaml", "kuberay-raycluster.yaml")
KUBERNETES_VERSION = "1.34"


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((CLUSTER / name).read_text()))


def aws_problems(config: dict[str, Any]) -> list[str]:
    """By Ray's own schema, and by EC2's for what Ray hands through to it."""
    import ray.autoscaler
    from ray.autoscaler._private.util import prepare_config
    from ray.autoscaler._private.util import validate_config

    try:
        validate_config(prepare_config(config))
    except Exception as error:  # a ValidationError, ValueError or KeyError, as the mistake may be
        return [f"{type(error).__name__}: {error}"]
    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    unknown = set(config["provider"]) - set(schema["properties"]["provider"]["properties"])
    commands = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    starts = [command.rpartition("ray start ")[2].split() for command in commands if "ray start" in command]
    return [
        *(f"provider.{key} is unknown" for key in sorted(unknown)),
        *_node_problems(config),
        *(problem for words in starts for problem in ray_start_problems(words)),
    ]


def ray_start_problems(words: list[str]) -> list[str]:
    """What `ray start` would say about its options."""
    import click

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Ray's own
        from ray.scripts.scripts import start

    try:
        start.make_context("start", list(words))
    except click.ClickException as error:
        return [error.format_message()]
    return []


def kubernetes_problems(document: dict[str, Any]) -> list[str]:
    """By the CustomResourceDefinition where the kind is KubeRay's, and by Kubernetes' own schemas elsewhere."""
    if document.get("apiVersion") != "ray.io/v1":
        return _core_problems(document)
    import jsonschema

    validator = jsonschema.Draft202012Validator(_kuberay_schema(str(document["kind"])))
    problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    return problems or [problem for words in _ray_start_words(document) for problem in ray_start_problems(words)]


def _ray_start_words(document: dict[str, Any]) -> Iterator[list[str]]:
    """The options that KubeRay makes of each group's `rayStartParams`, which the definition leaves open."""
    cluster = document["spec"].get("rayClusterSpec", document["spec"])
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        parameters = group["rayStartParams"].items()
        yield [f"--{key}" if value == "true" else f"--{key}={value}" for key, value in parameters]


def _core_problems(document: dict[str, Any]) -> list[str]:
    import kubernetes_validate

    try:
        kubernetes_validate.validate(document, KUBERNETES_VERSION, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as error:
        return [str(error)]
    return []


def _node_problems(config: dict[str, Any]) -> Iterator[str]:
    import botocore.session
    from botocore.validate import ParamValidator

    model = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances")
    for name, node_type in config["available_node_types"].items():
        counts = {"MinCount": 1, "MaxCount": 1}
        given = {key: value for key, value in node_type["node_config"].items() if key != "SubnetIds"}  # Ray's own key
        report = ParamValidator().validate(given | counts, model.input_shape)
        if report.has_errors():
            yield f"{name}: {report.generate_report()}"


@functools.cache
def _kuberay_schema(kind: str) -> dict[str, Any]:
    packed = Path(__file__).parent / "crds" / f"ray.io_{kind.lower()}s.yaml.xz"
    definition = yaml.load(lzma.decompress(packed.read_bytes()), Loader=yaml.CSafeLoader)
    (version,) = (version for version in definition["spec"]["versions"] if version["name"] == "v1")
    schema: dict[str, Any] = _json_schema(version["schema"]["openAPIV3Schema"])
    return schema


def _json_schema(node: Any) -> Any:
    """Kubernetes' structural schema as JSON Schema: integers or strings, and objects closed where they are not open."""
    if isinstance(node, list):
        return [_json_schema(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    is_open = node.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in node
    converted = {key: _json_schema(value) for key, value in node.items() if not key.startswith("x-kubernetes-")}
    if isinstance(node.get("properties"), dict) and node.get("type") == "object" and not is_open:
        # What every object has, and a definition does not spell out.
        if node["properties"].get("metadata") == {"type": "object"}:
            converted["properties"] = converted["properties"] | {"metadata": {"type": "object"}}
        converted["additionalProperties"] = False
    return converted
