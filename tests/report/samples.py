"""A sweep as its ledger tells it: made up, but with everything that a report can show."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from kdsearch.ledger.records import AttemptRecord
from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.recipe import Recipe
from tests.factories import LABELS
from tests.factories import START
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep

COUNTS = (20, 50, 100)
SEEDS = 4
TOP_K = 2
SMOOTHED = Recipe("labels", 0.0, label_smoothing=0.1)


def sample_sweep(
    counts: Sequence[int] = COUNTS,
    overrides: Sequence[str] = (),
    state: SweepState = SweepState.COMPLETE,
    **fields: Any,
) -> SweepRecord:
    """Its configuration is one that `kdsearch sweep` composes."""
    from kdsearch.config.compose import compose_sweep

    counted = f"sample_counts=[{','.join(map(str, counts))}]"
    config = compose_sweep(["dataset=digits", counted, *overrides], outside_world=False).stored
    teacher = {
        "hash": "0123abcd",
        "name": "mlp",
        "sample_count": 1047,
        "val_accuracy": 0.97,
        "seconds": 5.8,
        "fingerprint": {"data": "a1b2c3", "device": "cpu", "kdsearch": "0.1.0", "torch": "2.9.0"},
        "packs": {"mlp": 16},
    }
    attempts = (
        AttemptRecord(1, "host", 4242, START, START + timedelta(minutes=2), "interrupted"),
        AttemptRecord(2, "host", 4243, START + timedelta(minutes=5), START + timedelta(minutes=9), "complete"),
    )
    return make_sweep(
        config["dataset"]["name"], state, config=config, **{"teacher": teacher, "attempts": attempts} | fields
    )


def sample_records(
    counts: Sequence[int] = COUNTS, trials: int = 24, seeds: int = SEEDS, seed: int = 0, *, confirmed: bool = True
) -> list[TrialRecord]:
    """Searched kl and mse trials, two controls, and their confirmations; better with more samples."""
    random = np.random.default_rng(seed)
    records: list[TrialRecord] = []
    for count in counts:
        searched = [_searched(random, count, number) for number in range(trials)]
        controls = [_control(random, count, 0), _control(random, count, 1)]
        records += [*searched, *controls]
        if confirmed:
            best = sorted(searched, key=lambda record: (-(record.value or 0.0), record.number))[:TOP_K]
            records += _confirmations(random, count, [*controls, *best], seeds)
    return records


def _searched(random: np.random.Generator, count: int, number: int) -> TrialRecord:
    alpha = float(random.uniform(0.5, 1.0))
    if number % 3:
        temperature = float(2 ** random.uniform(0, 5))
        recipe = Recipe("kl", alpha, {"temperature": temperature})
    else:
        temperature, recipe = 8.0, Recipe("mse", alpha)
    accuracy = _labels(random, count) + 0.15 * 20 / count - 0.01 * abs(float(np.log2(temperature)) - 3)
    return make_record(
        number, sample_count=count, recipe=recipe, value=accuracy, metrics=_metrics(random, "val", accuracy)
    )


def _control(random: np.random.Generator, count: int, number: int) -> TrialRecord:
    """Labels only, or label smoothing, which is a little better."""
    name, recipe = (("labels", LABELS), ("label_smoothing", SMOOTHED))[number]
    accuracy = _labels(random, count) + 0.01 * number
    return make_control(name, count, accuracy, number=number, recipe=recipe, metrics=_metrics(random, "val", accuracy))


def _confirmations(
    random: np.random.Generator, count: int, origins: Sequence[TrialRecord], seeds: int
) -> Iterator[TrialRecord]:
    for place, origin in enumerate(origins):
        for replicate in range(seeds):
            validation = (origin.value or 0.0) - 0.01 + float(random.normal(0, 0.01))
            test = validation + float(random.normal(0, 0.01))
            yield make_record(
                100 * place + replicate,
                Kind.CONFIRM,
                count,
                recipe=origin.recipe,
                control=origin.control,
                confirms=origin.key,
                replicate=replicate,
                value=validation,
                metrics=_metrics(random, "val", validation) | _metrics(random, "test", test),
            )


def _labels(random: np.random.Generator, count: int) -> float:
    return 0.6 + 0.1 * float(np.log10(count)) + float(random.normal(0, 0.005))


def _metrics(random: np.random.Generator, split: str, accuracy: float) -> dict[str, float]:
    fidelity = {"val_agreement": accuracy, "val_hellinger": 1 - accuracy} if split == "val" else {}
    found = {"accuracy": accuracy, "nll": 2 * (1 - accuracy), "ece": 0.05 + float(random.uniform(0, 0.01))}
    return {f"{split}_{name}": value for name, value in found.items()} | fidelity
