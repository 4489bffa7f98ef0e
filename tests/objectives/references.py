"""Every objective written out again from its paper, with floats and loops: one batch, loss per sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence
from statistics import correlation
from statistics import stdev
from typing import Any

Rows = Sequence[Sequence[float]]


def softmax(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    highest = max(logits)
    weights = [math.exp((z - highest) / temperature) for z in logits]
    return [weight / sum(weights) for weight in weights]


def divergence(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def z_scores(logits: Sequence[float]) -> list[float]:
    mean = sum(logits) / len(logits)
    return [(z - mean) / (stdev(logits) + 1e-7) for z in logits]


def without(values: Sequence[float], left_out: set[int]) -> list[float]:
    return [value for index, value in enumerate(values) if index not in left_out]


def kl(z: Sequence[float], v: Sequence[float], y: int, temperature: float = 4.0) -> float:
    return temperature**2 * divergence(softmax(v, temperature), softmax(z, temperature))


def reverse_kl(z: Sequence[float], v: Sequence[float], y: int, temperature: float = 4.0) -> float:
    return temperature**2 * divergence(softmax(z, temperature), softmax(v, temperature))


def jsd(z: Sequence[float], v: Sequence[float], y: int, beta: float = 0.5, temperature: float = 4.0) -> float:
    if beta in (0, 1):
        return (kl if beta == 0 else reverse_kl)(z, v, y, temperature)
    p, q = softmax(v, temperature), softmax(z, temperature)
    mixture = [beta * a + (1 - beta) * b for a, b in zip(p, q, strict=True)]
    generalised = beta * divergence(p, mixture) + (1 - beta) * divergence(q, mixture)
    return temperature**2 * generalised / (beta * (1 - beta))


def mse(z: Sequence[float], v: Sequence[float], y: int) -> float:
    return sum((a - b) ** 2 for a, b in zip(z, v, strict=True)) / len(z)


def l1(z: Sequence[float], v: Sequence[float], y: int) -> float:
    return sum(abs(a - b) for a, b in zip(z, v, strict=True)) / len(z)


def dkd(
    z: Sequence[float],
    v: Sequence[float],
    y: int,
    temperature: float = 4.0,
    target_weight: float = 1.0,
    nontarget_weight: float = 8.0,
) -> float:
    p, q = softmax(v, temperature), softmax(z, temperature)
    target = divergence((p[y], 1 - p[y]), (q[y], 1 - q[y]))
    others = divergence(softmax(without(v, {y}), temperature), softmax(without(z, {y}), temperature))
    return temperature**2 * (target_weight * target + nontarget_weight * others)


def rld(
    z: Sequence[float],
    v: Sequence[float],
    y: int,
    temperature: float = 4.0,
    target_temperature: float = 1.0,
    target_weight: float = 1.0,
    nontarget_weight: float = 8.0,
) -> float:
    sure, right = max(softmax(v, target_temperature)), softmax(z, target_temperature)[y]
    loss = target_weight * target_temperature**2 * divergence((sure, 1 - sure), (right, 1 - right))
    left_out = {index for index, value in enumerate(v) if value >= v[y]}
    if len(left_out) < len(v):
        p, q = softmax(without(v, left_out), temperature), softmax(without(z, left_out), temperature)
        loss += nontarget_weight * temperature**2 * divergence(p, q)
    return loss


def nkd(z: Sequence[float], v: Sequence[float], y: int, gamma: float = 1.5, temperature: float = 1.0) -> float:
    p, q = softmax(without(v, {y}), temperature), softmax(without(z, {y}), temperature)
    spread = sum(a * math.log(b) for a, b in zip(p, q, strict=True))
    return -softmax(v)[y] * math.log(softmax(z)[y]) - gamma * temperature**2 * spread


def dist(
    students: Rows, teachers: Rows, inter_weight: float = 1.0, intra_weight: float = 1.0, temperature: float = 1.0
) -> list[float]:
    q, p = [softmax(z, temperature) for z in students], [softmax(v, temperature) for v in teachers]
    columns = list(zip(zip(*q, strict=True), zip(*p, strict=True), strict=True))
    intra = 1 - sum(correlation(a, b) for a, b in columns) / len(columns)
    return [
        temperature**2 * (inter_weight * (1 - correlation(a, b)) + intra_weight * intra)
        for a, b in zip(q, p, strict=True)
    ]


PER_SAMPLE: dict[str, Callable[..., float]] = {f.__name__: f for f in (kl, reverse_kl, jsd, mse, l1, dkd, rld, nkd)}


def reference(
    name: str,
    students: Rows,
    teachers: Rows,
    labels: Sequence[int],
    standardize: bool = False,
    warmup: float = 0.0,
    progress: float = 1.0,
    **parameters: Any,
) -> list[float]:
    if standardize:
        students, teachers = [z_scores(z) for z in students], [z_scores(v) for v in teachers]
    if name == "dist":
        return dist(students, teachers, **parameters)
    factor = 1.0 if warmup == 0 else min(progress / warmup, 1.0)
    rows = zip(students, teachers, labels, strict=True)
    return [factor * PER_SAMPLE[name](z, v, y, **parameters) for z, v, y in rows]
