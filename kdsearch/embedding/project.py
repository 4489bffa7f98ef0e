"""From many dimensions to the two that can be drawn."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METHODS = ("pca", "tsne", "umap")
"""Principal components; t-SNE (van der Maaten, Hinton 2008); UMAP (arXiv 1802.03426), which is an extra."""


def project(embedding: NDArray[np.float64], method: str, seed: int = 0) -> NDArray[np.float64]:
    """[N, D] → [N, 2], of N > 5 samples; the same for the same seed.

    Raises:
        InputError: umap is not installed.
        ValueError: unknown method.
    """
    if embedding.shape[1] < 2:
        import numpy as np

        # A single dimension is drawn as it is.
        return np.concatenate([embedding, np.zeros_like(embedding)], axis=1)
    found: NDArray[np.float64] = _reducer(method, len(embedding), seed).fit_transform(embedding)
    return found


def check_method(method: str) -> None:
    """
    Raises:
        InputError: umap is not installed.
    """
    if method == "umap":
        _umap()


def _umap() -> Any:
    try:
        return importlib.import_module("umap")
    except ImportError as error:
        raise InputError([Problem("--method", "umap", f"needs pip install 'kdsearch[umap]' ({error})")]) from error


def _reducer(method: str, count: int, seed: int) -> Any:
    match method:
        case "pca":
            from sklearn.decomposition import PCA

            return PCA(n_components=2, random_state=seed)
        case "tsne":
            from sklearn.manifold import TSNE

            return TSNE(n_components=2, perplexity=min(30.0, (count - 1) / 3), init="pca", random_state=seed)
        case "umap":
            # With a seed it works on one thread, and would warn that it does.
            return _umap().UMAP(n_components=2, n_neighbors=min(15, count - 1), random_state=seed, n_jobs=1)
        case _:
            raise ValueError(f"method {method!r}: must be one of {', '.join(METHODS)}")
