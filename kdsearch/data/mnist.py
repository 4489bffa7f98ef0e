"""MNIST (LeCun, Cortes, Burges): 60,000 + 10,000 handwritten digits, 28x28."""

from __future__ import annotations

from kdsearch.data.facts import Facts
from kdsearch.data.idx_images import IdxImages

CLASS_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)

MNIST = IdxImages(
    name="MNIST",
    published=Facts(CLASS_COUNTS, 10_000, (1, 28, 28), class_names=tuple("0123456789")),
    mean=0.1307,
    deviation=0.3081,
)
