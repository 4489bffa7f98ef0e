"""What is looked at on a node. These functions run there, as Ray tasks, or in this process on the own machine.

They raise nothing that can be said in a remark, and print nothing to stdout.
"""

from __future__ import annotations

import contextlib
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path

from kdsearch.config.schema import DatasetConfig
from kdsearch.config.schema import SweepConfig
from kdsearch.doctor.finding import Remark
from kdsearch.doctor.finding import first_line
from kdsearch.doctor.folder import free_bytes
from kdsearch.doctor.folder import gigabytes
from kdsearch.doctor.folder import writing_remark
from kdsearch.doctor.ports import OpenPort
from kdsearch.doctor.ports import open_ports
from kdsearch.doctor.storage import node_remark
from kdsearch.errors import Problem

PACKAGES = ("kdsearch", "torch", "ray", "optuna", "numpy")
MIRROR_SECONDS = 5
FREE_SHARE = 0.8
"""Of a free device's memory; contexts and drivers take a little."""
READABLE = "every node needs the data: the same files in the same place, or a folder that all of them mount"
IMPORTABLE = "install the module on every node, or start the sweep in a folder that they all have"


@dataclass(frozen=True)
class NodeReport:
    """A node as it shows itself to a task that claims no resources."""

    versions: dict[str, str]
    temporary_folder: str
    temporary_free: int
    devices: tuple[str, ...]
    """CUDA devices that torch sees and can compute on."""
    device_remark: Remark | None
    storage_remark: Remark | None
    code_remark: Remark | None
    """On the user's own models, where they cannot be imported."""
    token_auth: bool = False
    """Whether Ray asks for a token there."""
    open_ports: tuple[OpenPort, ...] = ()


@dataclass(frozen=True)
class DataReport:
    """What a node gets when it loads the data set."""

    found: str = ""
    fingerprint: str = ""
    remark: Remark | None = None


def look_around(
    config: SweepConfig, shown: str | None = None, ray_ports: Mapping[int, str] | None = None
) -> NodeReport:
    """`shown` is what `storage.shown_to_nodes` gave; without it the storage is not looked at.

    `ray_ports` are the ports that Ray may listen at, with what does; without them nothing is said of Ray.
    """
    temporary = Path(tempfile.gettempdir())
    with _stdout_to_stderr():
        devices, device_remark = _devices()
        return NodeReport(
            versions=versions(),
            temporary_folder=str(temporary),
            temporary_free=free_bytes(temporary),
            devices=devices,
            device_remark=device_remark or writing_remark("TMPDIR", temporary),
            storage_remark=node_remark(shown) if shown else None,
            code_remark=_code_remark(config),
            token_auth=ray_ports is not None and _asks_for_token(),
            open_ports=open_ports(ray_ports or {}),
        )


def versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {package: _version(package) for package in PACKAGES}


def load_data(config: DatasetConfig) -> DataReport:
    """Load the data set as a sweep does, without downloading it."""
    from kdsearch.data import describe
    from kdsearch.data import load_arrays
    from kdsearch.data import needs_download
    from kdsearch.errors import InputError

    try:
        with _stdout_to_stderr():
            info = describe(config)
            counts = f"{info.pool_count} to train on, {info.validation_count} to validate, {info.test_count} to test"
            found = f"{info.name}: {counts}, {info.class_count} classes"
            if config.name == "fashion_mnist" and config.target is None and config.root is None:
                if (remark := _download_remark()) is not None:
                    return DataReport(found, remark=remark)
            elif needs_download(config):
                return DataReport(found, remark=Remark.warn("not there yet", "the sweep will download it"))
            return DataReport(found, load_arrays(config).fingerprint())
    except InputError as error:
        is_import = any("cannot be imported" in problem.allowed for problem in error.problems)
        return DataReport(remark=Remark.bad(str(error), IMPORTABLE if is_import else READABLE))
    except Exception as error:  # whatever reading damaged files raises
        return DataReport(
            remark=Remark.bad(f"{config.name} cannot be read: {type(error).__name__}: {first_line(error)}")
        )


def clock() -> float:
    """Seconds since the epoch, by this node's clock."""
    return time.time()


def _asks_for_token() -> bool:
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    return bool(is_token_auth_enabled())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _devices() -> tuple[tuple[str, ...], Remark | None]:
    import torch

    if not torch.cuda.is_available():
        return (), None
    names: list[str] = []
    busy: Remark | None = None
    for index in range(torch.cuda.device_count()):
        name = torch.cuda.get_device_name(index)
        try:
            free, total = torch.cuda.mem_get_info(index)
            torch.ones(1, device=f"cuda:{index}").add(1).item()
        except RuntimeError as error:
            found = f"cuda:{index} ({name}) cannot be computed on: {first_line(error)}"
            return tuple(names), Remark.bad(found, "free it, or install a torch that was built for it")
        busy = busy or busy_remark(f"cuda:{index} ({name})", free, total)
        names.append(name)
    return tuple(names), busy


def busy_remark(device: str, free: int, total: int) -> Remark | None:
    """A warning where others have taken a good part of a device's memory (bytes)."""
    if free >= FREE_SHARE * total:
        return None
    taken = f"{gigabytes(total - free)} of its {gigabytes(total)}"
    return Remark.warn(f"{device} is not free: others have taken {taken}", "end them, or give trials a smaller share")


def _code_remark(config: SweepConfig) -> Remark | None:
    from kdsearch.config.check_models import all_models
    from kdsearch.errors import InputError
    from kdsearch.imports import import_target

    models = {f"{key}._target_": model.target for key, model in all_models(config)}
    problems: list[Problem] = []
    for key, target in models.items():
        if target is not None:
            try:
                import_target(key, target)
            except InputError as error:
                problems += error.problems
    return Remark.bad("; ".join(map(str, problems)), IMPORTABLE) if problems else None


def _download_remark() -> Remark | None:
    """A warning where Fashion-MNIST would be downloaded first; bad where that will not work."""
    from urllib.request import Request
    from urllib.request import urlopen

    from kdsearch.data import fashion_mnist

    if fashion_mnist.find_folder(None) is not None:
        return None
    from torchvision.datasets import FashionMNIST

    mirror = FashionMNIST.mirrors[0]
    try:
        with urlopen(Request(mirror + FashionMNIST.resources[0][0], method="HEAD"), timeout=MIRROR_SECONDS):
            return Remark.warn("not there yet", f"the sweep will download it (30 MB) from {mirror}")
    except OSError as error:
        advice = "install Debian's dataset-fashion-mnist, or set dataset.root to a folder that holds its files"
        return Remark.bad(f"not there, and {mirror} does not answer ({first_line(error)})", advice)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """What the user's code prints is not the command's output."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
