"""A student that says where it is trained."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path

from torch import nn


def noted(input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    (Path(os.environ["KDSEARCH_TEST_HOSTS"]) / socket.gethostname()).touch()
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), 8), nn.ReLU(), nn.Linear(8, class_count))
