"""What training several students as one batched model is worth, by network and pack size: the numbers that
`kdsearch.models.pack_size` records.

    python -m tests.benchmarks.packs [--device cuda] [--steps 500] [--rounds 3]

One thread; every network alone and in packs, interleaved; prints one JSON line per network with the median milliseconds
per trial of each pack size, and how many times as fast as alone that is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.distiller import Distiller
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import TrainingSet
from kdsearch.distiller import new_distiller
from kdsearch.distiller.packed import PackedDistiller
from kdsearch.models import model_cost
from kdsearch.models.pack_size import pack_size
from kdsearch.recipe import Recipe

CLASSES = 10
NETWORKS = (
    (ModelConfig(name="mlp", hidden=(32, 32)), (1, 8, 8)),
    (ModelConfig(name="mlp", hidden=(64, 64)), (1, 8, 8)),
    (ModelConfig(name="mlp", hidden=(128, 128)), (1, 8, 8)),
    (ModelConfig(name="mlp", hidden=(256, 256)), (1, 8, 8)),
    (ModelConfig(name="mlp", hidden=(512, 512)), (1, 8, 8)),
    (ModelConfig(name="cnn", channels=(4, 4)), (1, 28, 28)),
    (ModelConfig(name="cnn", channels=(16, 16, 16)), (1, 28, 28)),
)
SIZES = (1, 4, 8, 16, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    _seconds_per_trial(*NETWORKS[0], 4, 20, device)  # imports
    for model, input_shape in NETWORKS:
        seconds: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(options.rounds):
            for size in SIZES:
                seconds[size].append(_seconds_per_trial(model, input_shape, size, options.steps, device))
        medians = {size: statistics.median(values) for size, values in seconds.items()}
        line = {
            "network": f"{model.name} {list(model.hidden or model.channels or ())} on {list(input_shape)}",
            "flops": model_cost(model, input_shape, CLASSES).flops,
            "recorded_size": pack_size(model, input_shape, CLASSES),
            "ms_per_trial": {size: round(1000 * value, 1) for size, value in medians.items()},
            "times_as_fast": {size: round(medians[1] / value, 2) for size, value in medians.items()},
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        }
        print(json.dumps(line), flush=True)


def _seconds_per_trial(
    model: ModelConfig, input_shape: tuple[int, ...], size: int, steps: int, device: torch.device
) -> float:
    training = TrainingConfig(steps=steps, evaluations=20)
    data, scored = _data(200, input_shape), _scored(300, input_shape).to(device)
    students = [new_distiller(model, _recipe(i), training, data, seed=i, device=device) for i in range(size)]
    began = time.perf_counter()
    if size == 1:
        for step in students[0].evaluation_steps:
            students[0].advance(step)
            students[0].evaluate(scored)
    else:
        _train_together(students, scored)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - began) / size


def _train_together(students: list[Distiller], scored: EvaluationSet) -> None:
    pack = PackedDistiller(students)
    for step in students[0].evaluation_steps:
        pack.advance(step, lambda: False)
        pack.evaluate([scored] * len(students))


def _recipe(index: int) -> Recipe:
    return Recipe("kl", 0.8, {"temperature": 1.0 + index}) if index % 2 else Recipe("mse", 0.8)


def _data(count: int, input_shape: tuple[int, ...]) -> TrainingSet:
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(count) % CLASSES
    signals = torch.randn(count, CLASSES, generator=generator) + 4 * torch.eye(CLASSES)[targets]
    inputs = torch.randn(count, *input_shape, generator=generator)
    return TrainingSet(torch.arange(count), inputs, targets, CLASSES, signals)


def _scored(count: int, input_shape: tuple[int, ...]) -> EvaluationSet:
    data = _data(count, input_shape)
    return EvaluationSet(data.inputs, data.targets, data.signals)


if __name__ == "__main__":
    main()
