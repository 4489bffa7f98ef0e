"""A bank: several seeded augmentations of every sample, so that a teacher's signals can be cached for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdsearch.augmentation.transforms import Augmentation
from kdsearch.seeds import derive_seed

if TYPE_CHECKING:
    from torch import Tensor


def make_bank(inputs: Tensor, ids: Tensor, views: int, augmentation: Augmentation, seed: int) -> Tensor:
    """[n, *shape] on the CPU → [n, views, *shape].

    A sample's views depend on (seed, sample id) alone: whichever other samples there are, they are the same.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        keys = [derive_seed(seed, "view", key) for key in ids.tolist()]
        samples = zip(inputs.split(1), keys, strict=True)
        return torch.stack([_views(sample, key, views, augmentation) for sample, key in samples])


def _views(sample: Tensor, seed: int, count: int, augmentation: Augmentation) -> Tensor:
    import torch

    torch.manual_seed(seed)
    return torch.cat([augmentation(sample) for _ in range(count)])
