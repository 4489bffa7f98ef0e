"""How close together the samples of a class lie, and how far from the others: without a unit, so networks compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMULAS = {
    "silhouette": (
        "mean over the samples of a class of (b - a) / max(a, b), where a is the mean distance to the others of its "
        "class and b that to the nearest other class; -1 … 1, higher is more compact (Rousseeuw 1987)"
    ),
    "within_between": (
        "mean squared distance of a class's samples to their mean, divided by the mean squared distance of the class "
        "means to their mean; lower is more compact, 0 is neural collapse (class by class, with traces in place of the "
        "pseudo-inverse, what Papyan, Han, Donoho call NC1, arXiv 2008.08186)"
    ),
}


@dataclass(frozen=True)
class Compactness:
    """Scores by class index, of the classes that have at least two samples."""

    silhouette: dict[int, float]
    within_between: dict[int, float]

    @property
    def mean_silhouette(self) -> float:
        """Over classes, each weighing alike."""
        return float(np.mean(list(self.silhouette.values())))

    @property
    def mean_within_between(self) -> float:
        return float(np.mean(list(self.within_between.values())))


def compactness(embedding: NDArray[np.float64], targets: NDArray[np.int64]) -> Compactness:
    """Of embeddings [N, D] and class indices [N], with Euclidean distances; see FORMULAS.

    Raises:
        ValueError: fewer than two classes have two samples.
    """
    from sklearn.metrics import silhouette_samples

    classes, counts = np.unique(targets, return_counts=True)
    classes = classes[counts > 1]
    if len(classes) < 2:
        raise ValueError("at least two classes need two samples each")
    kept = np.isin(targets, classes)
    embedding, targets = embedding[kept], targets[kept]
    values = silhouette_samples(embedding, targets)
    means = np.stack([embedding[targets == c].mean(axis=0) for c in classes])
    between = ((means - means.mean(axis=0)) ** 2).sum(axis=1).mean()
    within = [
        ((embedding[targets == c] - mean) ** 2).sum(axis=1).mean() for c, mean in zip(classes, means, strict=True)
    ]
    return Compactness(
        {int(c): float(values[targets == c].mean()) for c in classes},
        {int(c): float(w / max(between, 1e-12)) for c, w in zip(classes, within, strict=True)},
    )
