"""Small networks train on one thread, and torch's setting comes back."""

from __future__ import annotations

import pytest
import torch

from kdsearch.config.schema import ModelConfig
from kdsearch.distiller import suited_threads
from tests.distiller.samples import CNN
from tests.distiller.samples import MLP


@pytest.mark.parametrize(
    ("model", "threads"),
    [
        (MLP, 1),
        (CNN, 1),
        (ModelConfig(name="resnet20"), 2),
        (ModelConfig.model_validate({"name": "mine", "_target_": "mine.model"}), 2),
    ],
)
def test_threads(model: ModelConfig, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError), suited_threads(model):
            assert torch.get_num_threads() == threads
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
