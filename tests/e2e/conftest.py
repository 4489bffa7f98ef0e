from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Workplace


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """One Ray cluster for every sweep of the session; each sweep joins it as it would join a user's."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 2,
            "object_store_memory": 200_000_000,
            "include_dashboard": False,
        },
    )
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


@pytest.fixture
def workplace(tmp_path: Path, ray_address: str) -> Workplace:
    return Workplace(tmp_path, ray_address)


@pytest.fixture(scope="module")
def shared_workplace(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> Workplace:
    return Workplace(tmp_path_factory.mktemp("shared"), ray_address)
