"""The last thing a network makes of a sample before it decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from torch import nn


def penultimate(model: nn.Module, inputs: Tensor) -> NDArray[np.float64]:
    """What goes into the layer that gives the logits (`kdsearch.models.head`), flattened: [B, …] → [B, D].

    Raises:
        InputError: the network has no linear layer, or does not run it.
    """
    import torch

    from kdsearch.distiller.evaluation import CHUNK
    from kdsearch.features.capture import evaluating
    from kdsearch.features.layers import INPUT
    from kdsearch.features.tap import FeatureTap
    from kdsearch.models.head import head_name

    found = []
    with FeatureTap(model, f"{head_name(model)}:{INPUT}", key="network") as tap, evaluating(model):
        for chunk in inputs.split(CHUNK):
            model(chunk)
            found.append(tap.take().flatten(1))
    return torch.cat(found).double().numpy()
