"""Learning-rate schedules and the steps at which a student is evaluated, as pure functions of the step."""

from __future__ import annotations

import math

WARM_UP = 0.3
START_DIVISOR = 25.0
END_DIVISOR = 1e4


def learning_rate_factor(schedule: str, step: int, total_steps: int) -> float:
    """What the learning rate is multiplied with at `step` (0 to total_steps - 1).

    `cosine` falls from 1 to 0; `one_cycle` rises from 1/25 to 1 over the first 30 % and falls to 1/10,000
    (Smith and Topin: Super-Convergence, arXiv 1708.07120; the numbers are torch's OneCycleLR's).
    """
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return _cosine(1.0, 0.0, step / total_steps)
    if schedule == "one_cycle":
        peak = max(1.0, WARM_UP * total_steps)
        if step < peak:
            return _cosine(1.0 / START_DIVISOR, 1.0, step / peak)
        return _cosine(1.0, 1.0 / END_DIVISOR, (step - peak) / max(1.0, total_steps - peak))
    raise ValueError(f"schedule {schedule!r}: must be constant, cosine or one_cycle")


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def evaluation_steps(total_steps: int, evaluations: int, steps_per_epoch: int) -> list[int]:
    """At most `evaluations` steps, evenly spaced, each at the end of an epoch; the last is the end of training."""
    whole_epochs = total_steps // steps_per_epoch
    boundaries = {
        min(total_steps, steps_per_epoch * max(1, round(whole_epochs * index / evaluations)))
        for index in range(1, evaluations)
    }
    return sorted({step for step in boundaries if step < total_steps} | {total_steps})
