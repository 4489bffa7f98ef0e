"""The Ray cluster an attempt runs on: one that is there, or one of its own on this machine."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from collections.abc import Iterator
from typing import Any

from kdsearch.config.schema import SweepConfig
from kdsearch.search.knock import place_of

ENVIRONMENT = {
    # Kept as the user set them, where they did.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ctrl-C and SIGTERM are ours to handle: trials are checkpointed, not dropped.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    # The ledger is the state; Tune's own snapshots would cost time that grows with the sweep, and are never read.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    # How many trials wait for room is for us to say, who follow the cluster as it grows.
    "TUNE_MAX_PENDING_TRIALS_PG": "10000",
    # Else Tune sends a preempted trial out again by itself, beside us.
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",
}

ANSWER_SECONDS = 2.0

AWS_CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"}


@contextlib.contextmanager
def ray_cluster(config: SweepConfig) -> Iterator[None]:
    """Connect to `cluster.address`, or start Ray here and stop it at the end."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray
    from ray.tune.execution import class_cache

    # Tune hands the driver's AWS keys to its workers, through files that Ray writes. Ours use their node's.
    class_cache.ENV_VARS_TO_PROPAGATE.difference_update(AWS_CREDENTIALS)
    options: dict[str, Any] = {"configure_logging": False, "logging_level": logging.ERROR, "log_to_driver": False}
    if config.cluster.is_own:
        # Without an address Ray would join whatever cluster it finds here. Ours listens to this machine alone.
        options |= {"address": "local", "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    else:
        # With `auto` Ray takes to tokens wherever it finds one, whether or not the cluster does.
        address = str(config.cluster.address)
        options["address"] = place_of(address) if address == "auto" else address
    ray.init(**options)
    try:
        yield
    finally:
        # An object reference that another thread's garbage collection frees while Ray shuts down ends the process.
        gc.collect()
        gc.disable()
        try:
            ray.shutdown()
        finally:
            gc.enable()


def leaving_nodes() -> frozenset[str]:
    """Ids of the nodes that are about to be taken away: Ray drains them, as asked or when `ray start` gets SIGTERM.

    Raises:
        RayError: the cluster does not answer.
    """
    from ray._private.worker import global_worker

    cluster = global_worker.gcs_client  # type: ignore[attr-defined]
    return frozenset(cluster.get_draining_nodes(timeout=ANSWER_SECONDS))
