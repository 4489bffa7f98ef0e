"""Teachers that are none, for controls: what they take away says what distillation lives on."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

CONFIDENCE = 0.99
"""The probability that the hand-made teacher gives to the label."""


def smoothed_logits(targets: Tensor, class_count: int) -> Tensor:
    """A hand-made teacher that knows the labels and nothing else: [n] → logits [n, C].

    Its probabilities are 0.99 at the label and the rest in equal shares: Yuan, Tay, Li, Wang, Feng: Revisiting
    Knowledge Distillation via Label Smoothing Regularization, arXiv 1909.11723; the label-smoothing test of the data
    efficiency of distillation, arXiv 2510.15516.
    """
    import torch

    others = math.log((1 - CONFIDENCE) / (class_count - 1))
    logits = torch.full((len(targets), class_count), others)
    return logits.scatter(1, targets.unsqueeze(1), math.log(CONFIDENCE))


def shuffles(kept: Tensor, class_count: int, seed: int) -> Tensor:
    """A random order of the classes for each sample that leaves its class `kept` where it is: [n] → int64 [n, C].

    Given in this order, a teacher's logits keep their confidence and lose their dark knowledge: which of the other
    classes a sample resembles.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    kept = kept.unsqueeze(1).cpu()
    classes = torch.arange(class_count).expand(len(kept), -1)
    others = classes[classes != kept].view(len(kept), -1)
    order = torch.rand(others.shape, generator=generator).argsort(dim=1)
    return (
        torch.empty(len(kept), class_count, dtype=torch.long)
        .scatter_(1, kept, kept)
        .scatter_(1, others, others.gather(1, order))
    )


def permuted(logits: Tensor, permutations: Tensor | None) -> Tensor:
    """Logits [n, …, C] with the classes of each sample in the order of `permutations` [n, C]; None leaves them."""
    if permutations is None:
        return logits
    index = permutations.view(len(permutations), *([1] * (logits.ndim - 2)), -1)
    return logits.gather(-1, index.expand_as(logits))


def with_random_head(model: nn.Module, seed: int) -> nn.Module:
    """A copy of the model whose last linear layer is initialised anew: its features without what it made of them."""
    import torch

    from kdsearch.models import head_of

    model = copy.deepcopy(model)
    head = head_of(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head.reset_parameters()
    return model
