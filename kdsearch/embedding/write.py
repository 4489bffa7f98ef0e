"""`kdsearch embedding`: the figure and the scores, into the sweep's report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from kdsearch.embedding.compactness import FORMULAS
from kdsearch.embedding.compactness import Compactness
from kdsearch.embedding.compactness import compactness
from kdsearch.embedding.figure import NAMES
from kdsearch.embedding.figure import Panel
from kdsearch.embedding.figure import chart
from kdsearch.embedding.figure import png
from kdsearch.embedding.networks import Compared
from kdsearch.embedding.networks import choices_at
from kdsearch.embedding.networks import networks
from kdsearch.embedding.penultimate import penultimate
from kdsearch.embedding.project import check_method
from kdsearch.embedding.project import project
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from kdsearch.data import Split
    from kdsearch.data import Splits
    from kdsearch.sweep import Sweep

SHOWN = 1000
"""Validation samples at most; of more, a seeded choice."""
FIGURE, SCORES = "plots/embedding.png", "embedding.json"


def write_embedding(sweep: Sweep, method: str = "pca", counts: Sequence[int] | None = None) -> dict[str, Any]:
    """Write FIGURE and SCORES into the sweep's report folder in its storage; what SCORES holds.

    Raises:
        InputError: nothing is confirmed at these counts, networks or data are not to be had, umap is not installed, a
            validation split in which no two classes have two samples; nothing is written.
    """
    import torch

    from kdsearch.storage import open_storage

    check_method(method)
    choices = choices_at(sweep, counts)
    splits = sweep.data()
    samples = _samples(splits)
    inputs = torch.from_numpy(np.asarray(samples.inputs))
    names = splits.class_names or tuple(map(str, range(splits.class_count)))
    panels, rows = [], []
    for network in networks(sweep, choices, splits):
        embedding = penultimate(network.model, inputs)
        scores = compactness(embedding, samples.targets)
        points = project(embedding, method, splits.seed)
        silhouette = f"silhouette {scores.mean_silhouette:.2f}"
        panels.append(Panel(network.sample_count, network.who, f"{network.label} · {silhouette}", points))
        rows.append(_row(network, embedding.shape[1], scores, names))
    document = {
        "sweep": sweep.name,
        "uid": sweep.record.uid,
        "split": "validation",
        "samples": len(samples),
        "layer": "input of the layer that gives the logits",
        "method": method,
        "formulas": FORMULAS,
        "networks": rows,
    }
    title = f"{splits.name}: what goes into the last layer"
    about = (
        f"{len(samples)} validation samples, {NAMES[method]}. The silhouette is measured in all dimensions: "
        "-1 to 1, higher where classes are more compact."
    )
    image = png(chart(panels, [names[target] for target in samples.targets], names, title, about))
    storage = open_storage(sweep.storage)
    storage.write(f"sweeps/{sweep.name}/report/{FIGURE}", image)
    storage.write(f"sweeps/{sweep.name}/report/{SCORES}", (json.dumps(document, indent=2) + "\n").encode())
    return document


def _samples(splits: Splits) -> Split:
    """Up to SHOWN samples of the validation split.

    Raises:
        InputError: too few for any score.
    """
    validation = splits.validation
    if (np.bincount(validation.targets) > 1).sum() < 2:
        allowed = "is too small: two classes need two validation samples each"
        raise InputError([Problem("dataset.validation_count", len(validation), allowed)])
    if len(validation) <= SHOWN:
        return validation
    chosen = np.random.default_rng(splits.seed).permutation(len(validation))[:SHOWN]
    return validation.take(np.sort(chosen))


def _row(network: Compared, dimensions: int, scores: Compactness, names: Sequence[str]) -> dict[str, Any]:
    return {
        "sample_count": network.sample_count,
        "network": network.who,
        "label": network.label,
        "trial": network.trial,
        "dimensions": dimensions,
        "silhouette": scores.mean_silhouette,
        "within_between": scores.mean_within_between,
        "classes": {
            names[index]: {"silhouette": value, "within_between": scores.within_between[index]}
            for index, value in scores.silhouette.items()
        },
    }
