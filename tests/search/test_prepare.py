"""How much of a GPU a worker takes, and how much of the object store signals may take."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from kdsearch.search.prepare import keep_to_share
from kdsearch.search.prepare import memory_for_signals
from kdsearch.search.prepare import memory_share

TAKE = """
import torch
from kdsearch.search.prepare import keep_to_share
keep_to_share(0.25)
whole = torch.cuda.get_device_properties(0).total_memory
small = torch.empty(whole // 5, dtype=torch.uint8, device="cuda")
try:
    torch.empty(whole // 10, dtype=torch.uint8, device="cuda")
except torch.OutOfMemoryError:
    print("refused")
"""


@pytest.mark.parametrize(("gpus", "share"), [(0, None), (0.25, 0.25), (0.5, 0.5), (1, None), (2, None)])
def test_a_part_of_a_gpu_is_as_large_a_part_of_its_memory(gpus: float, share: float | None) -> None:
    assert memory_share(gpus) == share


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_there_is_nothing_to_keep_to() -> None:
    keep_to_share(0.25)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_more_memory_than_the_share_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", TAKE], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "refused", done.stderr


def test_signals_in_memory_are_mebibytes() -> None:
    assert (memory_for_signals(0), memory_for_signals(3)) == (0, 3 * 2**20)
