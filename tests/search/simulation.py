"""A sweep without training: the real attempt, advisor and ledger, with a formula in place of the students."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from kdsearch.config.schema import SweepConfig
from kdsearch.ledger import Ledger
from kdsearch.ledger import Point
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.ledger import open_ledger
from kdsearch.search.attempt import Attempt
from kdsearch.search.pack import Judgement
from kdsearch.search.pack import Outcome
from kdsearch.search.pack import Slot
from kdsearch.search.spool import Spool

SPACE = {
    "objective": {"choices": ["kl", "mse"]},
    "temperature": {"low": 1, "high": 40, "log": True},
    "alpha": {"low": 0.5, "high": 1},
}


def make_config(**changes: Any) -> SweepConfig:
    values: dict[str, Any] = {
        "name": "sim",
        "storage": "/nowhere",
        "ledger": "sqlite:////nowhere/ledger.db",
        "mlflow": {},
        "dataset": {"name": "digits", "validation_count": 300},
        "teacher": {"name": "mlp", "model": {"name": "mlp", "hidden": [8]}, "training": {}},
        "student": {"name": "mlp", "hidden": [8]},
        "search_space": {"parameters": SPACE},
        "sample_counts": [20, 50],
        "trials_per_count": 12,
        "search": {},
        "controls": ["labels", "label_smoothing", "kl_t1"],
        "confirm": {"top_k": 2, "seeds": 3},
        "sampler": "tpe",
        "pruner": "none",
        "training": {},
        "resources": {},
        "cluster": {},
    }
    return SweepConfig.model_validate(values | changes)


def make_ledger(folder: Path, config: SweepConfig) -> Ledger:
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db", create=True)
    ledger.create_sweep(config.name, {}, 0)
    return ledger


def accuracy(slot: Slot) -> float:
    """Best at alpha 0.7 and temperature 5."""
    temperature = slot.recipe.hyperparameters.get("temperature", 1.0)
    return 1 - abs(slot.recipe.alpha - 0.7) - abs(temperature - 5) / 100


def train(attempt: Attempt, slot: Slot) -> Outcome:
    """What a worker would report; at decision points it asks, as a worker does."""
    value = accuracy(slot)
    state = TrialState.COMPLETE
    if slot.judged and any(attempt.judge(Judgement(slot.key, step, value)) for step in (1, 2, 4)):
        state = TrialState.PRUNED
    metrics = {"val_accuracy": value} | ({"test_accuracy": value - 0.01} if slot.on_test else {})
    return Outcome(slot.key, TrialResult(state, value, metrics), (Point(1, 1000, metrics),))


def run_to_end(ledger: Ledger, config: SweepConfig, *, kills: int = 0, seed: int = 0) -> Attempt:
    """Train one trial at a time. `kills` times the driver dies, at random moments, with whatever it holds."""
    chance = random.Random(seed)
    number = 1
    attempt = open_attempt(ledger, config, number)
    while not attempt.is_finished:
        pack = attempt.next_pack()
        assert pack is not None
        for slot in pack.slots:
            outcome = train(attempt, slot)
            if kills > 0 and chance.random() < 0.15:
                kills -= 1
                number += 1
                attempt = open_attempt(ledger, config, number)
            else:
                attempt.finish(outcome)
    return attempt


def open_attempt(ledger: Ledger, config: SweepConfig, number: int, **options: Any) -> Attempt:
    folder = Path(str(ledger.engine.url.database)).parent
    attempt = Attempt(ledger, config, number, Spool(folder / "results.jsonl"), **options)
    attempt.open()
    attempt.begin_search()
    return attempt


def outline(ledger: Ledger) -> list[tuple[object, ...]]:
    """What must not depend on interruptions."""
    return [
        (t.key, t.state, t.recipe, t.params, t.seed, t.subset_seed, t.value, t.confirms) for t in ledger.trials("sim")
    ]
