"""The Kubernetes manifests against KubeRay's CustomResourceDefinitions and Kubernetes' own schemas."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.cluster.files import KUBERNETES
from tests.cluster.files import documents
from tests.cluster.files import kubernetes_problems

WORKER = "spec.rayClusterSpec.workerGroupSpecs.0"
CONTAINER = f"{WORKER}.template.spec.containers.0"


@pytest.mark.parametrize("name", KUBERNETES)
def test_is_valid(name: str) -> None:
    assert {str(document["kind"]): kubernetes_problems(document) for document in documents(name)} == {
        str(document["kind"]): [] for document in documents(name)
    }


@pytest.mark.parametrize(
    ("place", "right", "wrong"),
    [
        ("spec", "backoffLimit", "backofLimit"),
        ("spec", "rayClusterSpec", "rayCluster"),
        ("spec.rayClusterSpec", "authOptions", "authOption"),
        ("spec.rayClusterSpec", "headGroupSpec", "headGroup"),
        ("spec.rayClusterSpec.autoscalerOptions", "idleTimeoutSeconds", "idleTimeout"),
        (WORKER, "maxReplicas", "maxReplica"),
        (f"{WORKER}.template.spec", "tolerations", "toleration"),
        (f"{WORKER}.template.spec.securityContext", "runAsNonRoot", "runAsNonroot"),
        (CONTAINER, "image", "imag"),
        (f"{CONTAINER}.env.5.valueFrom.secretKeyRef", "key", "keys"),
    ],
)
def test_a_misspelt_key_of_the_ray_job_is_caught(place: str, right: str, wrong: str) -> None:
    document = _ray_job()
    part = _at(document, place)
    part[wrong] = part.pop(right)
    assert kubernetes_problems(document) != []


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("spec.rayClusterSpec.authOptions", "mode", "tokens"),
        ("spec.rayClusterSpec.autoscalerOptions", "version", "v3"),
        (WORKER, "maxReplicas", "eight"),
        (WORKER, "rayStartParams", {"num-cpu": "0"}),
    ],
)
def test_a_wrong_value_of_the_ray_job_is_caught(place: str, key: str, value: object) -> None:
    document = _ray_job()
    _at(document, place)[key] = value
    assert kubernetes_problems(document) != []


def test_a_misspelt_key_of_the_ray_cluster_is_caught() -> None:
    (document,) = copy.deepcopy(documents("kuberay-raycluster.yaml"))
    document["spec"]["workerGroups"] = document["spec"].pop("workerGroupSpecs")
    assert kubernetes_problems(document) != []


@pytest.mark.parametrize(
    ("kind", "place", "right", "wrong"),
    [
        ("ConfigMap", "", "data", "datas"),
        ("PersistentVolumeClaim", "spec", "accessModes", "accessMode"),
        ("Deployment", "spec.template.spec.containers.0", "image", "imag"),
        ("CronJob", "spec", "schedule", "shedule"),
        ("Service", "spec", "ports", "port"),
        ("NetworkPolicy", "spec", "podSelector", "podselector"),
        ("Secret", "", "stringData", "stringdata"),
    ],
)
def test_a_misspelt_key_of_the_rest_is_caught(kind: str, place: str, right: str, wrong: str) -> None:
    everything = documents("kuberay-base.yaml") + documents("kuberay-secret.example.yaml")
    document = copy.deepcopy(next(document for document in everything if document["kind"] == kind))
    part = _at(document, place)
    part[wrong] = part.pop(right)
    assert kubernetes_problems(document) != []


def test_both_describe_the_same_cluster() -> None:
    (cluster,) = documents("kuberay-raycluster.yaml")
    assert cluster["spec"] == _ray_job()["spec"]["rayClusterSpec"]


def test_the_cluster() -> None:
    cluster = _ray_job()["spec"]["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"] and cluster["autoscalerOptions"]["version"] == "v2"
    assert cluster["authOptions"]["mode"] == "token"
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0", "no trial runs on the head"
    for group in cluster["workerGroupSpecs"]:
        assert group["replicas"] == group["minReplicas"] == 0
        assert group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert _ray_job()["spec"]["backoffLimit"] > 0


def test_every_pod_is_an_ordinary_user_behind_the_policy() -> None:
    pods = [pod for name in KUBERNETES for document in documents(name) for pod in _pods(document)]
    assert len(pods) == 10
    for template in pods:
        spec = template["spec"]
        assert template["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kdsearch"
        assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 0
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert "limits" in container["resources"]


@pytest.mark.parametrize("name", ["kuberay-rayjob.yaml", "kuberay-raycluster.yaml"])
def test_pods_that_run_trials_hold_no_password(name: str) -> None:
    """Of the Secret they may have the keys to the storage; the ledger's and MLflow's are the driver's, in the head."""
    (document,) = documents(name)
    cluster = document["spec"].get("rayClusterSpec", document["spec"])
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert {"postgres-password", "mlflow-password"} < set(_values(head, "secretKeyRef", "key"))
    for group in workers:
        assert set(_values(group, "secretKeyRef", "key")) == {"s3-key", "s3-secret"}
        assert group["template"]["spec"]["automountServiceAccountToken"] is False
        (container,) = group["template"]["spec"]["containers"]
        assert not {"KDSEARCH_LEDGER", "MLFLOW_TRACKING_PASSWORD"} & {entry["name"] for entry in container["env"]}
        assert container["envFrom"] == [{"configMapRef": {"name": "kdsearch"}}], "addresses, no passwords"
        assert "secret" not in str(group["template"]["spec"]["volumes"])


def test_the_head_alone_may_talk_to_kubernetes() -> None:
    """Its autoscaler asks for pods; nobody else has a service account's token."""
    pods = [pod for name in KUBERNETES for document in documents(name) for pod in _pods(document)]
    with_token = [pod for pod in pods if pod["spec"].get("automountServiceAccountToken") is not False]
    assert [pod["spec"]["containers"][0]["name"] for pod in with_token] == ["ray-head", "ray-head"]


def test_folders_that_are_written_to_are_volumes() -> None:
    """The image itself is read-only: a user's home and /tmp are not part of it."""
    for name in KUBERNETES:
        for pod in (pod for document in documents(name) for pod in _pods(document)):
            volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
            for container in pod["spec"]["containers"]:
                mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
                assert set(mounts.values()) <= volumes
                if container["name"] in ("ray-head", "ray-worker", "submitter", "mlflow"):
                    assert {"/tmp", "/home/kdsearch"} <= set(mounts)


def test_what_is_referred_to_exists() -> None:
    base = documents("kuberay-base.yaml")
    (secret,) = documents("kuberay-secret.example.yaml")
    config_maps = {document["metadata"]["name"] for document in base if document["kind"] == "ConfigMap"}
    claims = {document["metadata"]["name"] for document in base if document["kind"] == "PersistentVolumeClaim"}
    everything = [document for name in KUBERNETES for document in documents(name)]
    assert set(_values(everything, "secretKeyRef", "key")) <= set(secret["stringData"])
    assert set(_values(everything, "secretKeyRef", "name")) == {secret["metadata"]["name"]}
    assert (
        set(_values(everything, "configMapRef", "name")) | set(_values(everything, "configMap", "name")) == config_maps
    )
    assert set(_values(everything, "persistentVolumeClaim", "claimName")) == claims


def _ray_job() -> dict[str, Any]:
    (document,) = documents("kuberay-rayjob.yaml")
    return document


def _at(document: Any, place: str) -> dict[str, Any]:
    part = document
    for key in filter(None, place.split(".")):
        index: Any = int(key) if isinstance(part, list) else key
        part[index] = copy.deepcopy(part[index])
        part = part[index]
    found: dict[str, Any] = part
    return found


def _pods(node: Any) -> list[dict[str, Any]]:
    """Every pod template below a node."""
    if isinstance(node, list):
        return [pod for entry in node for pod in _pods(entry)]
    if not isinstance(node, dict):
        return []
    if "containers" in node.get("spec", {}):
        return [node]
    return [pod for entry in node.values() for pod in _pods(entry)]


def _values(node: Any, holder: str, key: str) -> list[str]:
    if isinstance(node, list):
        return [value for entry in node for value in _values(entry, holder, key)]
    if not isinstance(node, dict):
        return []
    here = [node[holder][key]] if isinstance(node.get(holder), dict) else []
    return here + [value for entry in node.values() for value in _values(entry, holder, key)]
