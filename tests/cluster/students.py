"""A student that says where it is trained, and which of the driver's secrets are seen there."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path

from torch import nn

SECRETS = ("KDSEARCH_LEDGER", "MLFLOW_TRACKING_PASSWORD")


def noted(input_shape: tuple[int, ...], class_count: int) -> nn.Module:
    seen = [name for name in SECRETS if name in os.environ]
    (Path(os.environ["KDSEARCH_TEST_HOSTS"]) / socket.gethostname()).write_text(" ".join(seen))
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), 8), nn.ReLU(), nn.Linear(8, class_count))
