"""Networks for tests of taps and terms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.models import build_model

MLP = ModelConfig(name="mlp", hidden=(6, 5), dropout=0.5)
CNN = ModelConfig(name="cnn", channels=(4, 8))
IMAGES = torch.randn(7, 1, 8, 8, generator=torch.Generator().manual_seed(3))


def small(config: ModelConfig, seed: int = 0) -> nn.Sequential:
    model = build_model(config, (1, 8, 8), 4, seed)
    assert isinstance(model, nn.Sequential)
    return model


class Backbone(nn.Module):
    """Gives its value inside of other things, and has a frozen normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()))
        self.blocks[1].eval()

    def forward(self, images: Tensor) -> tuple[None, dict[str, list[Tensor]]]:
        feature_map = self.blocks(images)
        return None, {"maps": [feature_map, feature_map.mean(dim=(2, 3))]}


class Nested(nn.Module):
    """A head that is called by keyword, and a module that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Linear(3, 4)
        self.unused = nn.Linear(3, 4)

    def forward(self, images: Tensor) -> Tensor:
        _, features = self.backbone(images)
        logits: Tensor = self.head(input=features["maps"][1])
        return logits
