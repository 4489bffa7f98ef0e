"""Teachers' networks in the storage: `teachers/<hash>/` with weights, signals and, written last, `teacher.json`."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from kdsearch.config.schema import TeacherConfig
from kdsearch.data import Splits
from kdsearch.models import parameter_count
from kdsearch.storage import Storage
from kdsearch.teacher.identity import FORMAT_VERSION
from kdsearch.teacher.identity import network_hash
from kdsearch.teacher.identity import network_seed
from kdsearch.teacher.signals import Signals
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

logger = logging.getLogger(__name__)

WEIGHTS, SIGNALS, DESCRIPTION = "teacher.safetensors", "signals.safetensors", "teacher.json"


def ensure_teacher(
    config: TeacherConfig,
    splits: Splits,
    seed: int,
    storage: Storage,
    *,
    device: str | torch.device = "auto",
    on_evaluation: Callable[[Distiller, Point], bool | None] | None = None,
) -> Teacher:
    """The stored teacher of this config, data and seed; what is missing of it is trained and stored first.

    Raises:
        InputError: its loss became infinite or not a number, or its weights can't be used.
    """
    networks = []
    for alone, index in config.networks():
        own_seed = network_seed(seed, index)
        network = find_network(alone, splits, own_seed, storage)
        if network is None:
            network = train_network(alone, splits, own_seed, device=device, on_evaluation=on_evaluation)
            _save(network, splits, own_seed, storage)
        networks.append(network)
    return together(config, networks, splits)


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
        contents = {file: storage.read(_path(name, file)) for file in (WEIGHTS, SIGNALS)}
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


def _save(network: Network, splits: Splits, seed: int, storage: Storage) -> None:
    from safetensors.numpy import save as save_arrays
    from safetensors.torch import save as save_tensors

    state = {name: tensor.clone().contiguous() for name, tensor in network.model.state_dict().items()}
    contents = {
        WEIGHTS: save_tensors(state),
        SIGNALS: save_arrays({"ids": network.signals.ids, "logits": network.signals.logits}),
    }
    description = {
        "format": FORMAT_VERSION,
        **network.record(),
        "seed": seed,
        "dataset": {"name": splits.name, "fingerprint": splits.fingerprint},
        "input_shape": splits.input_shape,
        "class_count": splits.class_count,
        "config": network.config.model_dump(mode="json", by_alias=True),
        "metrics": dict(network.metrics),
        "sha256": {file: _sha256(content) for file, content in contents.items()},
    }
    for file, content in contents.items():
        storage.write(_path(network.hash, file), content)
    # Last: its presence says that the rest is complete.
    storage.write(_path(network.hash, DESCRIPTION), json.dumps(description, indent=2).encode())


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


def _path(name: str, file: str) -> str:
    return f"teachers/{name}/{file}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
