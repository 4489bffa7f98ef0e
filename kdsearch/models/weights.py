"""Weights from a file."""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.models import build_model
from kdsearch.models.head import head_name

SHOWN = 3
"""Tensors named in a message; the others are counted."""

WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""

NOT_PLAIN = (
    "is not a plain state_dict; kdsearch loads no pickled code: save it as safetensors or with "
    "torch.save(model.state_dict())"
)

StateDict = Mapping[str, Tensor]


def load_weights(model: nn.Module, path: str | Path, *, key: str = "weights") -> None:
    """Put the weights of a file in the model; all of them, and no others.

    The file is a state_dict as `.safetensors` or of `torch.save`, alone or as the only one in a checkpoint (a dict such
    as {"model": …, "epoch": …}); DataParallel's and torch.compile's prefixes are taken off, and the names of
    RepDistiller's and mdistiller's CIFAR networks are known.

    Raises:
        InputError: about `key`: the file can't be read, holds more than tensors, or does not fit the network.
    """
    state = _renamed(model, read_state_dict(path, key=key))
    problem = _mismatch(model, state)
    if problem is not None:
        raise InputError([Problem(key, str(path), problem)])
    model.load_state_dict(dict(state))


def weights_problems(
    key: str,
    path: str | Path,
    config: ModelConfig,
    input_shape: tuple[int, ...],
    class_count: int,
    vocabulary_size: int | None = None,
) -> list[Problem]:
    """Why the file's weights can't be those of this network, before anything is trained."""
    plain = config.model_copy(update={"pretrained": False})
    try:
        model = build_model(plain, input_shape, class_count, seed=0, vocabulary_size=vocabulary_size)
        load_weights(model, path, key=key)
    except InputError as error:
        return list(error.problems)
    return []


def read_state_dict(path: str | Path, *, key: str = "weights") -> StateDict:
    """The tensors in a file by their names, on the CPU; no code in it is ever run.

    Raises:
        InputError: about `key`: the file can't be read, or holds more than tensors.
    """
    path = Path(path)
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
        return _without_wrappers(_only_state_dict(content))
    except FileNotFoundError:
        reason = "there is no such file"
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
    except SafetensorError as error:
        reason = f"is not a safetensors file, or is cut short ({error})"
    except _UnfitFileError as error:
        reason = str(error)
    raise InputError([Problem(key, str(path), reason)])


def content_hash(path: str | Path) -> str:
    """SHA-256 of the file, in hexadecimal.

    Raises:
        OSError: it can't be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _UnfitFileError(Exception):
    pass


def _unpickled(path: Path) -> Any:
    with open(path, "rb") as file:
        return _unpickled_from(file)


def _unpickled_from(file: BinaryIO) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files that are refused in the next moment
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _UnfitFileError(NOT_PLAIN) from error
    except (EOFError, OSError, RuntimeError, ValueError) as error:  # what torch says to damaged files, TorchScript
        if "TorchScript" in str(error):
            raise _UnfitFileError(NOT_PLAIN) from error
        raise _UnfitFileError("is not a file of torch.save, or is cut short") from error


def _only_state_dict(content: Any) -> StateDict:
    if _is_state_dict(content):
        return dict(content)
    inner = {k: v for k, v in content.items() if _is_state_dict(v)} if isinstance(content, Mapping) else {}
    if len(inner) > 1:
        raise _UnfitFileError(f"holds several state_dicts ({', '.join(map(str, inner))}): save the one that is meant")
    if not inner:
        raise _UnfitFileError(f"holds no state_dict, but {_contents(content)}")
    return dict(next(iter(inner.values())))


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items())
    )


def _contents(content: Any) -> str:
    return f"the keys {_some(map(str, content))}" if isinstance(content, Mapping) and content else "something else"


def _without_wrappers(state: StateDict) -> StateDict:
    while prefix := next((w for w in WRAPPERS if all(name.startswith(w) for name in state)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _renamed(model: nn.Module, state: StateDict) -> StateDict:
    for pattern, replacement in getattr(model, "published_names", ()):
        state = {re.sub(pattern, replacement, name): tensor for name, tensor in state.items()}
    return state


def _mismatch(model: nn.Module, state: StateDict) -> str | None:
    """What does not fit, in one line, or None."""
    own: StateDict = model.state_dict()
    shapes = [name for name in own if name in state and state[name].shape != own[name].shape]
    # A counter that files from before torch 0.4.1 lack, and that load_state_dict does without.
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in own]
    if shapes and not missing and not unexpected and _differs_in_classes_alone(model, own, state, shapes):
        head = f"{head_name(model)}.weight"
        return (
            f"the weights are of a network with {len(state[head])} classes, the data set has {len(own[head])} ({head})"
        )
    return "; ".join(_phrases(own, state, missing, unexpected, shapes)) or None


def _phrases(
    own: StateDict, state: StateDict, missing: list[str], unexpected: list[str], shapes: list[str]
) -> Iterator[str]:
    if missing or unexpected or shapes:
        yield "the weights are of another network"
    if missing:
        yield f"it lacks {_some(missing)}"
    if unexpected:
        yield f"it has {_some(unexpected)}, which the network has not"
    if shapes:
        yield "shapes differ: " + _some(
            f"{name} {list(state[name].shape)} in the file, {list(own[name].shape)} in the network" for name in shapes
        )


def _differs_in_classes_alone(model: nn.Module, own: StateDict, state: StateDict, shapes: list[str]) -> bool:
    head = head_name(model)
    weight = f"{head}.weight"
    of_head = {weight, f"{head}.bias"}
    return weight in shapes and set(shapes) <= of_head and own[weight].shape[1:] == state[weight].shape[1:]


def _some(names: Any) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
