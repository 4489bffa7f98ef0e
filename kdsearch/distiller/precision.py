"""How a device is to compute: mixed precision, and only with algorithms that repeat themselves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Automatic mixed precision: the forward pass in `name`, the rest in fp32; fp16's gradients are scaled."""

    def __init__(self, name: Literal["fp32", "bf16", "fp16"], device: torch.device) -> None:
        """
        Raises:
            ValueError: fp16 on a CPU, which has no use for it.
        """
        if name == "fp16" and device.type == "cpu":
            raise ValueError("precision=fp16 needs an accelerator; on a CPU it must be fp32 or bf16")
        self._name = name
        self._device = device
        self._scaler = torch.amp.GradScaler(device.type) if name == "fp16" else None

    def forward_pass(self) -> contextlib.AbstractContextManager[object]:
        if self._name == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=TYPES[self._name])

    def backward(self, loss: Tensor) -> None:
        (loss if self._scaler is None else self._scaler.scale(loss)).backward()

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Bring the gradients to their true size, for clipping."""
        if self._scaler is not None:
            self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        if self._scaler is None:
            optimizer.step()
        else:
            self._scaler.step(optimizer)
            self._scaler.update()

    def state_dict(self) -> dict[str, float]:
        return {} if self._scaler is None else self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, float]) -> None:
        if self._scaler is not None and state:
            self._scaler.load_state_dict(state)


@contextlib.contextmanager
def deterministic_algorithms(on: bool) -> Iterator[None]:
    """With `on`, operations that have no deterministic algorithm raise RuntimeError; torch's setting is put back."""
    if not on:
        yield
        return
    # cuBLAS reads it when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_deterministic_debug_mode()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        torch.backends.cudnn.benchmark = benchmark
