"""Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv 1708.07747): 60,000 + 10,000 images of clothing, 28x28, 10 classes."""

from __future__ import annotations

from pathlib import Path

from kdsearch.data.facts import Facts
from kdsearch.data.idx_images import IdxImages

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts the files."""
CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

FASHION_MNIST = IdxImages(
    name="FashionMNIST",
    published=Facts((6000,) * 10, 10_000, (1, 28, 28), class_names=CLASSES),
    mean=0.2860,
    deviation=0.3530,
    system_folder=DEBIAN_FOLDER,
    package="dataset-fashion-mnist",
)
find_folder = FASHION_MNIST.find_folder
