"""Checks of devices and cores, where Ray is to run on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable

from kdsearch.config.check_models import all_teachers
from kdsearch.config.schema import SweepConfig
from kdsearch.errors import Problem

_DRIVERS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Where NVIDIA's, Windows' (WSL) and AMD's drivers show themselves."""


def machine_problems(config: SweepConfig) -> Iterable[Problem]:
    """What is asked of this machine that it has not; a cluster's nodes are another matter."""
    if config.cluster.is_own:
        yield from _cpu_problems(config.resources.cpus_per_trial)
        yield from _gpu_problems(config)


def _cpu_problems(asked: float) -> Iterable[Problem]:
    cpus = available_cpus()
    if asked > cpus:
        yield Problem("resources.cpus_per_trial", asked, f"must be <= {cpus}, the CPUs of this machine")


def _gpu_problems(config: SweepConfig) -> Iterable[Problem]:
    devices = {"training.device": config.training.device}
    devices |= {f"{key}.training.device": teacher.training.device for key, teacher in all_teachers(config)}
    cuda = {key: device for key, device in devices.items() if device.startswith("cuda")}
    share = config.resources.gpus_per_trial
    if not cuda and share == 0:
        return
    gpus = visible_gpus()
    here = f"this machine has {gpus or 'no'} CUDA device{'s' if gpus > 1 else ''}"
    for key, device in cuda.items():
        index = int(device.partition(":")[2] or 0)
        if index >= gpus:
            highest = f"cuda:{gpus - 1} at most" if gpus else "auto or cpu, or cluster.address must be given"
            yield Problem(key, device, f"must be {highest}: {here}")
    if share > gpus:
        yield Problem("resources.gpus_per_trial", share, f"must be <= {gpus}, or cluster.address must be given: {here}")


def available_cpus() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> int:
    """How many CUDA devices torch can use; torch is imported only where a driver is there."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not any(map(os.path.exists, _DRIVERS)):
        return 0
    import torch

    return torch.cuda.device_count()
