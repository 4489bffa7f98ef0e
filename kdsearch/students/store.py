"""Reads and writes them: safetensors, with what is needed to build the network in the file's own metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.config.schema import ModelConfig
from kdsearch.storage import Storage

if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

METADATA = "kdsearch"
"""The key of the file's metadata under which the description is."""


@dataclass(frozen=True)
class Description:
    """What a network is made from besides its weights."""

    model: Mapping[str, Any]
    """Its `ModelConfig`, as plain values."""
    input_shape: tuple[int, ...]
    """Of one sample."""
    class_count: int
    vocabulary_size: int | None = None
    """Inputs are int64 token ids below it; None for float32 numbers."""

    @classmethod
    def of(
        cls, model: ModelConfig, input_shape: tuple[int, ...], class_count: int, vocabulary_size: int | None = None
    ) -> Description:
        plain = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return cls(plain, tuple(input_shape), class_count, vocabulary_size)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Description:
        return cls(**{**data, "input_shape": tuple(data["input_shape"])})

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "input_shape": list(self.input_shape)}

    @property
    def target(self) -> str | None:
        """The import path of a user's own network."""
        return self.model.get("_target_")

    def build(self) -> nn.Module:
        """The network with weights that mean nothing yet; nothing is downloaded for it.

        Raises:
            InputError: its code cannot be imported, or refuses.
        """
        from kdsearch.models import build_model

        config = ModelConfig.model_validate({**self.model, "pretrained": False})
        return build_model(config, self.input_shape, self.class_count, seed=0, vocabulary_size=self.vocabulary_size)

    def restore(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """The network with `weights`, on the CPU in eval mode; no parameter needs a gradient."""
        model = self.build()
        model.load_state_dict(dict(weights))
        return model.eval().requires_grad_(False)


@dataclass(frozen=True)
class KeptStudent:
    """One trained student."""

    trial: str
    """The key of the confirmation that trained it."""
    uid: str
    """Of the sweep: a name may be used again for another one."""
    description: Description
    weights: Mapping[str, Tensor]
    """Its `state_dict`, on the CPU."""

    @classmethod
    def of(cls, trial: str, uid: str, description: Description, model: nn.Module) -> KeptStudent:
        # Copies: parameters may be parts of one vector, which safetensors does not store.
        state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
        return cls(trial, uid, description, state)

    @property
    def model(self) -> nn.Module:
        """A new copy of the network, on the CPU in eval mode."""
        return self.description.restore(self.weights)

    def encode(self) -> bytes:
        from safetensors.torch import save

        about = {"trial": self.trial, "uid": self.uid, **self.description.to_dict()}
        return save(dict(self.weights), metadata={"format": "pt", METADATA: json.dumps(about)})

    @classmethod
    def decode(cls, content: bytes) -> KeptStudent:
        """
        Raises:
            ValueError: it is not what `encode` writes.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            about = json.loads(_metadata(content)[METADATA])
            trial, uid = about.pop("trial"), about.pop("uid")
            return cls(trial, uid, Description.from_dict(about), load(content))
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a kept student ({type(error).__name__}: {error})") from error


@dataclass(frozen=True)
class StudentStore:
    """The kept students of one sweep."""

    storage: Storage
    sweep: str
    uid: str

    def save(self, student: KeptStudent) -> None:
        """Write it whole, or leave what was there; what the storage raises passes through."""
        self.storage.write(self.path(student.trial), student.encode())

    def load(self, trial: str) -> KeptStudent | None:
        """The student of the confirmation with this key; None where it was not kept.

        Raises:
            ValueError: the file is damaged, or another sweep's.
        """
        try:
            content = self.storage.read(self.path(trial))
        except FileNotFoundError:
            return None
        student = KeptStudent.decode(content)
        if (student.trial, student.uid) != (trial, self.uid):
            raise ValueError(f"it is {student.trial} of another sweep ({student.uid})")
        return student

    def path(self, trial: str) -> str:
        """Where in the storage the student of a confirmation is.

        Raises:
            ValueError: the key of something else.
        """
        match = re.fullmatch(r".+/confirm/(n=\d+)#(\d+)", trial)
        if match is None:
            raise ValueError(f"{trial} is not a confirmation; only their students are kept")
        return f"sweeps/{self.sweep}/students/{match[1]}/{match[2]}.safetensors"


def _metadata(content: bytes) -> dict[str, str]:
    """The metadata in the header of a safetensors file: its length (8 bytes, little-endian), then JSON."""
    length = int.from_bytes(content[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(content[8 : 8 + length])
    return header["__metadata__"]
