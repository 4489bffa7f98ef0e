"""The group `cluster`: where a sweep runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdsearch.cli import main
from kdsearch.config.compatibility import check_compatible
from kdsearch.config.compose import apply_overrides
from kdsearch.config.compose import compose_sweep
from kdsearch.config.schema import ClusterConfig
from kdsearch.errors import InputError


def _cluster(*overrides: str) -> ClusterConfig:
    return compose_sweep(overrides, outside_world=False).config.cluster


def test_a_sweep_runs_on_a_ray_of_its_own_unless_it_is_told() -> None:
    assert _cluster() == ClusterConfig(place="own", address=None)
    assert _cluster().is_own
    assert _cluster("cluster.address=auto") == ClusterConfig(place="own", address="auto")
    assert not _cluster("cluster.address=auto").is_own


@pytest.mark.parametrize("place", ["address", "aws", "kuberay", "slurm"])
def test_every_place_joins_what_is_up(place: str) -> None:
    cluster = _cluster(f"cluster={place}")
    assert (cluster.place, cluster.address, cluster.is_own) == (place, "auto", False)
    assert _cluster(f"cluster={place}", "cluster.address=10.0.0.1:6379").address == "10.0.0.1:6379"


def test_a_sweep_goes_on_elsewhere() -> None:
    stored = compose_sweep(["cluster=aws"], outside_world=False).stored
    moved = apply_overrides(stored, ["cluster=slurm"], outside_world=False)
    assert moved.config.cluster == ClusterConfig(place="slurm", address="auto")
    check_compatible(stored, moved.stored, extend=False)
    with pytest.raises(InputError, match="must be one of address, aws, kuberay, own, slurm"):
        apply_overrides(stored, ["cluster=gcp"], outside_world=False)


def test_a_sweep_from_before_there_were_places() -> None:
    stored: dict[str, Any] = {**compose_sweep([], outside_world=False).stored, "cluster": {"address": "auto"}}
    resumed = apply_overrides(stored, [], outside_world=False)
    assert resumed.config.cluster == ClusterConfig(address="auto")
    check_compatible(stored, resumed.stored, extend=False)
    check_compatible(stored, compose_sweep(["cluster=aws"], outside_world=False).stored, extend=False)


@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ("cluster=aws", "ray attach cluster/aws.yaml"),
        ("cluster=slurm", "sbatch cluster/slurm.sbatch"),
        ("cluster=kuberay", "kdsearch submit"),
        ("cluster=address", "run this on the head node, or send it there with `kdsearch submit`"),
        ("cluster.address=127.0.0.1:9", "start Ray there, or send it there with `kdsearch submit`"),
    ],
)
def test_no_cluster_where_one_is_to_be_joined(
    override: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    assert main(["sweep", override]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "no Ray cluster answers there (Connection refused)" in line and advice in line
    assert not list(tmp_path.iterdir())
