"""One distillation in plain torch, as one would write it by hand: what every contender but kdsearch trains with.

It is the same computation as kdsearch's: network, samples, optimizer, schedule, clipping, steps and evaluations. After
an epoch it measures less: accuracy and cross-entropy.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from tests.benchmarks.contenders.workload import Material

if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

Recipe = Mapping[str, Any]
"""`objective`, `alpha` and, of kl, `temperature`."""

Report = Callable[[int, dict[str, float]], object]
"""Is given the epoch and its metrics: `val_accuracy`, `val_nll`, `train_loss`."""


def ignore(epoch: int, metrics: dict[str, float]) -> None: ...


def train(material: Material, sample_count: int, recipe: Recipe, seed: int, report: Report = ignore) -> float:
    """Train a student on one thread; returns its last accuracy on the validation split, a fraction."""
    import torch

    torch.set_num_threads(1)
    training, samples = material.training, material.samples[sample_count]
    model = new_student(material, sample_count, seed)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=training["learning_rate"],
        momentum=training["momentum"],
        weight_decay=training["weight_decay"],
        nesterov=True,
    )
    batches = -(-sample_count // training["batch_size"])
    schedule = new_schedule(optimizer, training, training["epochs"] * batches)
    order = torch.Generator().manual_seed(seed)
    interval = max(1, training["epochs"] // training["evaluations"])
    accuracy = 0.0
    for epoch in range(1, training["epochs"] + 1):
        model.train()
        total = torch.zeros(())
        for chosen in torch.randperm(sample_count, generator=order).split(training["batch_size"]):
            outputs = model(samples.inputs[chosen])
            loss = distillation_loss(outputs, samples.signals[chosen], samples.targets[chosen], recipe)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), training["gradient_clip"])
            optimizer.step()
            schedule.step()
            total += loss.detach()
        if epoch % interval == 0:
            metrics = evaluate(model, material) | {"train_loss": total.item() / batches}
            accuracy = metrics["val_accuracy"]
            report(epoch, metrics)
    return accuracy


def new_student(material: Material, sample_count: int, seed: int) -> nn.Module:
    from kdsearch.config.schema import ModelConfig
    from kdsearch.models import build_model

    shape = tuple(material.samples[sample_count].inputs.shape[1:])
    return build_model(ModelConfig.model_validate(material.student), shape, material.class_count, seed)


def new_schedule(optimizer: Any, training: Mapping[str, Any], steps: int) -> Any:
    """torch's own schedules, with the ends of kdsearch's."""
    from torch.optim.lr_scheduler import CosineAnnealingLR
    from torch.optim.lr_scheduler import OneCycleLR

    if training["schedule"] == "cosine":
        return CosineAnnealingLR(optimizer, steps)
    if training["schedule"] == "one_cycle":
        peak = training["learning_rate"]
        return OneCycleLR(optimizer, peak, steps, cycle_momentum=False, div_factor=25, final_div_factor=1e4 / 25)
    raise ValueError(f"schedule {training['schedule']!r}: must be cosine or one_cycle")


def distillation_loss(outputs: Tensor, signals: Tensor, targets: Tensor, recipe: Recipe) -> Tensor:
    """(1 - alpha) * CE(labels) + alpha * soft; soft is Hinton's T² * KL, or the squared error of logits."""
    import torch.nn.functional as F

    if recipe["objective"] == "mse":
        soft = F.mse_loss(outputs, signals)
    else:
        t = recipe["temperature"]
        log_p, log_q = F.log_softmax(signals / t, dim=1), F.log_softmax(outputs / t, dim=1)
        soft = t**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return (1 - recipe["alpha"]) * F.cross_entropy(outputs, targets) + recipe["alpha"] * soft


def evaluate(model: nn.Module, material: Material) -> dict[str, float]:
    import torch
    import torch.nn.functional as F

    model.eval()
    with torch.inference_mode():
        outputs = model(material.validation_inputs)
        return {
            "val_accuracy": (outputs.argmax(dim=1) == material.validation_targets).float().mean().item(),
            "val_nll": F.cross_entropy(outputs, material.validation_targets).item(),
        }
