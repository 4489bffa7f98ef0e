"""Every feature loss written out again from its paper, with floats and loops, for one batch of nested lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

Vector = Sequence[float]
Rows = Sequence[Vector]


def flat(value: Any) -> list[float]:
    return [number for item in value for number in flat(item)] if isinstance(value, list) else [value]


def rows(features: Any) -> list[list[float]]:
    return [flat(sample) for sample in features]


def dot(a: Vector, b: Vector) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def minus(a: Vector, b: Vector) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def norm(a: Vector) -> float:
    return math.sqrt(dot(a, a))


def unit(a: Vector) -> list[float]:
    length = norm(a)
    return [x / length for x in a] if length else list(a)


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def pooled(channel: Rows, height: int, width: int) -> list[list[float]]:
    """Means over the bins [⌊i·n/m⌋, ⌈(i+1)·n/m⌉) of n rows (columns) in m."""

    def bins(n: int, m: int) -> list[range]:
        return [range(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]

    return [
        [mean([channel[y][x] for y in ys for x in xs]) for xs in bins(len(channel[0]), width)]
        for ys in bins(len(channel), height)
    ]


def resized(feature_map: Any, other: Any) -> Any:
    height, width = (min(len(feature_map[0]), len(other[0])), min(len(feature_map[0][0]), len(other[0][0])))
    return [pooled(channel, height, width) for channel in feature_map]


def fitnet(students: Any, teachers: Any) -> list[float]:
    return [mean([x * x for x in minus(a, b)]) for a, b in zip(rows(students), rows(teachers), strict=True)]


def attention(students: Any, teachers: Any) -> list[float]:
    def attention_map(feature_map: Any) -> list[float]:
        channels = [flat(channel) for channel in feature_map]
        return unit([mean([value * value for value in position]) for position in zip(*channels, strict=True)])

    losses = []
    for student, teacher in zip(students, teachers, strict=True):
        maps = attention_map(resized(student, teacher)), attention_map(resized(teacher, student))
        losses.append(mean([x * x for x in minus(*maps)]))
    return losses


def similarity(students: Any, teachers: Any) -> list[float]:
    def similarities(features: Rows) -> list[list[float]]:
        return [unit([dot(a, b) for b in features]) for a in features]

    differences = map(minus, similarities(rows(students)), similarities(rows(teachers)))
    loss = sum(dot(row, row) for row in differences) / len(students) ** 2
    return [loss] * len(students)


def huber(x: float, y: float) -> float:
    difference = abs(x - y)
    return difference**2 / 2 if difference <= 1 else difference - 1 / 2


def rkd(students: Any, teachers: Any, distance_weight: float = 25.0, angle_weight: float = 50.0) -> list[float]:
    samples = range(len(students))

    def distance_potentials(features: Rows) -> list[float]:
        distances = [norm(minus(features[i], features[j])) for i, j in itertools.product(samples, repeat=2)]
        positive = [distance for distance in distances if distance > 0]
        return [distance / mean(positive) for distance in distances] if positive else distances

    def angle_potentials(features: Rows) -> list[float]:
        return [
            dot(unit(minus(features[j], features[i])), unit(minus(features[k], features[i])))
            for i, j, k in itertools.product(samples, repeat=3)
        ]

    student, teacher = rows(students), rows(teachers)
    distance = mean([*map(huber, distance_potentials(student), distance_potentials(teacher))])
    angle = mean([*map(huber, angle_potentials(student), angle_potentials(teacher))])
    return [distance_weight * distance + angle_weight * angle] * len(students)


def cka(students: Any, teachers: Any, cosine_kernel: bool = False) -> list[float]:
    """1 − HSIC(K, L) / √(HSIC(K, K)·HSIC(L, L)), HSIC(K, L) = tr(K H L H) with H = 1 − 1/B."""
    samples = range(len(students))

    def kernel(features: Rows) -> list[list[float]]:
        features = [unit(row) for row in features] if cosine_kernel else features
        return [[dot(a, b) for b in features] for a in features]

    def times_h(matrix: Rows) -> list[list[float]]:
        return [[value - mean(row) for value in row] for row in matrix]

    def hsic(k: Rows, other: Rows) -> float:
        left, right = times_h(k), times_h(other)
        return math.fsum(left[i][j] * right[j][i] for i in samples for j in samples)

    k, other = kernel(rows(students)), kernel(rows(teachers))
    return [1 - hsic(k, other) / math.sqrt(hsic(k, k) * hsic(other, other))] * len(students)


REFERENCES: dict[str, Callable[..., list[float]]] = {f.__name__: f for f in (fitnet, attention, similarity, rkd, cka)}
