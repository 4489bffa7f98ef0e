"""Teachers' networks in the storage: `teachers/<hash>/` with weights, signals and, written last, `teacher.json`.

Weights and signals carry their content in their names, and the first `teacher.json` stays: of sweeps that train the
same teacher at once, all go on with the one that was stored first (on a GPU two trainings differ in the last bits).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from kdsearch.config.schema import TeacherConfig
from kdsearch.data import Splits
from kdsearch.models import parameter_count
from kdsearch.storage import Storage
from kdsearch.teacher.answers import ask_here
from kdsearch.teacher.identity import FORMAT_VERSION
from kdsearch.teacher.identity import network_hash
from kdsearch.teacher.identity import network_seed
from kdsearch.teacher.signals import Signals
from kdsearch.teacher.signals import StoredSignals
from kdsearch.teacher.teacher import Network
from kdsearch.teacher.teacher import Teacher
from kdsearch.teacher.training import build_network
from kdsearch.teacher.training import frozen
from kdsearch.teacher.training import together
from kdsearch.teacher.training import train_network

if TYPE_CHECKING:
    import torch

    from kdsearch.distiller import Distiller
    from kdsearch.ledger.records import Point
    from kdsearch.teacher.answers import Ask

logger = logging.getLogger(__name__)

WEIGHTS, SIGNALS, DESCRIPTION = "teacher.safetensors", "signals.safetensors", "teacher.json"
"""The names of what is stored; the files of the first two have some of their content's hash in theirs."""


def ensure_teacher(
    config: TeacherConfig,
    splits: Splits,
    seed: int,
    storage: Storage,
    *,
    device: str | torch.device = "auto",
    on_evaluation: Callable[[Distiller, Point], bool | None] | None = None,
    ask: Ask = ask_here,
) -> Teacher:
    """The stored teacher of this config, data and seed; what is missing of it is trained and stored first.

    A new network is asked by `ask` about all samples.

    Raises:
        InputError: its loss became infinite or not a number, or its weights can't be used.
    """
    networks = []
    for alone, index in config.networks():
        own_seed = network_seed(seed, index)
        network = find_network(alone, splits, own_seed, storage)
        if network is None:
            trained = train_network(alone, splits, own_seed, device=device, on_evaluation=on_evaluation, ask=ask)
            network = _store(trained, splits, own_seed, storage)
        networks.append(network)
    return together(config, networks, splits)


def with_stored_signals(teacher: Teacher, storage: Storage) -> Teacher:
    """The stored teacher, its signals read from `storage` when and as far as they are asked for."""
    networks = [dataclasses.replace(network, signals=_stored(network, storage)) for network in teacher.networks]
    return dataclasses.replace(teacher, networks=tuple(networks))


def find_teacher(config: TeacherConfig, splits: Splits, seed: int, storage: Storage) -> Teacher | None:
    """The stored teacher, or None where a network of it is missing."""
    networks = []
    for alone, index in config.networks():
        network = find_network(alone, splits, network_seed(seed, index), storage)
        if network is None:
            return None
        networks.append(network)
    return together(config, networks, splits)


def find_network(config: TeacherConfig, splits: Splits, seed: int, storage: Storage) -> Network | None:
    """The stored network, or None where there is none; one that is half written or damaged counts as none."""
    name = network_hash(config, splits, seed)
    try:
        description = json.loads(storage.read(_path(name, DESCRIPTION)))
        contents = {file: storage.read(_path(name, _stored_as(file, description))) for file in (WEIGHTS, SIGNALS)}
    except FileNotFoundError:
        return None
    except ValueError as error:
        logger.warning("teacher %s is trained again: %s is damaged (%s)", name, DESCRIPTION, error)
        return None
    damaged = [file for file, content in contents.items() if _sha256(content) != description["sha256"].get(file)]
    if damaged:
        logger.warning("teacher %s is trained again: damaged %s", name, ", ".join(damaged))
        return None
    return _restore(name, config, splits, description, contents)


def _store(network: Network, splits: Splits, seed: int, storage: Storage) -> Network:
    """Store the network unless one is there; the one that is stored then."""
    contents = _contents(network)
    sha256 = {file: _sha256(content) for file, content in contents.items()}
    files = {file: _with_content(file, digest) for file, digest in sha256.items()}
    for file, content in contents.items():
        storage.write(_path(network.hash, files[file]), content)
    description = json.dumps(_describe(network, splits, seed) | {"files": files, "sha256": sha256}, indent=2).encode()
    # Last: its presence says that the rest is complete.
    if storage.write_new(_path(network.hash, DESCRIPTION), description):
        return network
    there = find_network(network.config, splits, seed, storage)
    if there is None:
        # It is damaged, or its files were removed.
        storage.write(_path(network.hash, DESCRIPTION), description)
    return there or network


def _contents(network: Network) -> dict[str, bytes]:
    from safetensors.numpy import save as save_arrays
    from safetensors.torch import save as save_tensors

    assert isinstance(network.signals, Signals)
    state = {name: tensor.clone().contiguous() for name, tensor in network.model.state_dict().items()}
    return {
        WEIGHTS: save_tensors(state),
        SIGNALS: save_arrays({"ids": network.signals.ids, "logits": network.signals.logits}),
    }


def _describe(network: Network, splits: Splits, seed: int) -> dict[str, Any]:
    return {
        "format": FORMAT_VERSION,
        **network.record(),
        "seed": seed,
        "dataset": {"name": splits.name, "fingerprint": splits.fingerprint},
        "input_shape": splits.input_shape,
        "class_count": splits.class_count,
        "config": network.config.model_dump(mode="json", by_alias=True),
        "metrics": dict(network.metrics),
    }


def _restore(
    name: str, config: TeacherConfig, splits: Splits, description: dict[str, Any], contents: dict[str, bytes]
) -> Network:
    from safetensors.numpy import load as load_arrays
    from safetensors.torch import load as load_tensors

    # Its weights are in the storage: nothing is to be downloaded for it.
    untrained = config.model_copy(update={"model": config.model.model_copy(update={"pretrained": False})})
    model = build_network(untrained, splits, seed=0)
    model.load_state_dict(load_tensors(contents[WEIGHTS]))
    arrays = load_arrays(contents[SIGNALS])
    return Network(
        hash=name,
        config=config,
        signals=Signals(arrays["ids"].astype(np.int64), arrays["logits"].astype(np.float32)),
        metrics=description["metrics"],
        sample_count=description["sample_count"],
        parameter_count=parameter_count(model),
        seconds=description["seconds"],
        model=frozen(model),
    )


def _stored(network: Network, storage: Storage) -> StoredSignals:
    assert isinstance(network.signals, Signals)
    class_count = network.signals.logits.shape[1]
    description = json.loads(storage.read(_path(network.hash, DESCRIPTION)))
    path = _path(network.hash, _stored_as(SIGNALS, description))
    return StoredSignals(network.signals.ids, class_count, storage, path)


def _path(name: str, file: str) -> str:
    return f"teachers/{name}/{file}"


def _stored_as(file: str, description: Mapping[str, Any]) -> str:
    """The name under which `file` is stored; earlier versions used the plain one."""
    stored: str = description.get("files", {}).get(file, file)
    return stored


def _with_content(file: str, digest: str) -> str:
    """`teacher.safetensors` → `teacher-0123456789ab.safetensors`."""
    stem, _, ending = file.partition(".")
    return f"{stem}-{digest[:12]}.{ending}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
