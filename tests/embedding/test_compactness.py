"""Scores of made embeddings, against what is worked out by hand or by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from kdsearch.config.schema import ModelConfig
from kdsearch.embedding.compactness import compactness
from kdsearch.embedding.penultimate import penultimate
from kdsearch.embedding.project import project
from kdsearch.errors import InputError
from kdsearch.models import build_model


def test_two_classes_worked_by_hand() -> None:
    embedding = np.array([[0.0], [2.0], [10.0], [12.0]])
    found = compactness(embedding, np.array([0, 0, 1, 1]))
    # Class 0: a = 2; b = 11 and 9. Class means 1 and 11, their mean 6.
    expected = (9 / 11 + 7 / 9) / 2
    assert found.silhouette == pytest.approx({0: expected, 1: expected})
    assert found.within_between == pytest.approx({0: 1 / 25, 1: 1 / 25})


def test_by_brute_force_and_without_a_unit() -> None:
    generator = np.random.default_rng(3)
    targets = generator.integers(0, 3, 40)
    embedding = generator.normal(size=(40, 5)) + targets[:, None]
    found = compactness(embedding, targets)
    for label in range(3):
        values = []
        for i in np.flatnonzero(targets == label):
            others = {c: [embedding[j] for j in np.flatnonzero(targets == c) if j != i] for c in range(3)}
            to = {c: np.mean([math.dist(embedding[i], other) for other in others[c]]) for c in others}
            a, b = to[label], min(to[c] for c in to if c != label)
            values.append((b - a) / max(a, b))
        assert found.silhouette[label] == pytest.approx(np.mean(values))
    moved = compactness(100 * embedding + 7, targets)
    assert moved.silhouette == pytest.approx(found.silhouette)
    assert moved.within_between == pytest.approx(found.within_between)
    assert found.mean_silhouette == pytest.approx(np.mean(list(found.silhouette.values())))


def test_classes_of_one_sample_are_left_out() -> None:
    embedding = np.array([[0.0], [1.0], [5.0], [6.0], [9.0]])
    found = compactness(embedding, np.array([0, 0, 2, 2, 4]))
    assert found.silhouette.keys() == found.within_between.keys() == {0, 2}
    with pytest.raises(ValueError, match="two samples"):
        compactness(embedding, np.array([0, 0, 1, 2, 3]))


def test_collapsed_classes_are_as_compact_as_can_be() -> None:
    found = compactness(np.repeat(np.eye(3), 4, axis=0), np.repeat(np.arange(3), 4))
    assert found.mean_silhouette == pytest.approx(1) and found.mean_within_between == pytest.approx(0)


def test_what_goes_into_the_head() -> None:
    model = build_model(ModelConfig(name="mlp", hidden=(6, 4)), (2, 3), 5, seed=0)
    inputs = torch.randn(7, 2, 3)
    before = penultimate(model.train(), inputs)
    assert before.shape == (7, 4) and model.training
    with torch.no_grad():
        assert np.allclose(model[:3](inputs).numpy(), before)  # type: ignore[index]
    with pytest.raises(InputError, match="no linear layer"):
        penultimate(nn.Flatten(), inputs)


@pytest.mark.parametrize("method", ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)])  # it compiles itself
def test_projections_repeat_and_keep_clusters_apart(method: str) -> None:
    generator = np.random.default_rng(0)
    targets = np.repeat([0, 1], 20)
    embedding = generator.normal(size=(40, 8)) + 30 * targets[:, None]
    points = project(embedding, method, seed=5)
    assert points.shape == (40, 2) and np.array_equal(project(embedding, method, seed=5), points)
    assert compactness(points.astype(np.float64), targets).mean_silhouette > 0.5
