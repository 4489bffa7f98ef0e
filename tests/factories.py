"""Ledger records for tests: valid as they are, every field can be given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

from kdsearch.ledger.records import AttemptRecord
from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Point
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KL = Recipe("kl", 0.8, {"temperature": 4.2})
LABELS = Recipe("labels", 0.0)
_STUDIES = {Kind.SEARCH: "sweep/n={n}", Kind.CONTROL: "sweep/controls/n={n}", Kind.CONFIRM: "sweep/confirm/n={n}"}


def make_record(
    number: int = 0,
    kind: Kind = Kind.SEARCH,
    sample_count: int = 100,
    state: TrialState = TrialState.COMPLETE,
    recipe: Recipe = KL,
    **fields: Any,
) -> TrialRecord:
    """A ledger row; a COMPLETE one has value 0.5 unless `value` or `metrics` say otherwise."""
    metrics = fields.setdefault(
        "metrics", {"val_accuracy": fields.get("value", 0.5)} if state is TrialState.COMPLETE else {}
    )
    fields.setdefault("value", metrics.get("val_accuracy"))
    fields.setdefault("params", recipe.flat() if kind is Kind.SEARCH else {})
    fields.setdefault("study", _STUDIES[kind].format(n=sample_count))
    fields.setdefault("attempts", () if state is TrialState.WAITING else (1,))
    fields.setdefault("started", None if state is TrialState.WAITING else START + timedelta(seconds=number))
    fields.setdefault("ended", START + timedelta(seconds=number + 30) if state.is_finished else None)
    fields.setdefault("seed", 1000 + number)
    fields.setdefault("subset_seed", 7)
    return TrialRecord(number=number, kind=kind, sample_count=sample_count, state=state, recipe=recipe, **fields)


def make_control(
    control: str = "labels", sample_count: int = 100, val_accuracy: float = 0.5, **fields: Any
) -> TrialRecord:
    """A finished control; `labels` unless `control` and `recipe` say otherwise."""
    fields.setdefault("recipe", LABELS)
    fields.setdefault("value", val_accuracy)
    return make_record(kind=Kind.CONTROL, sample_count=sample_count, control=control, **fields)


def make_confirmations(
    confirms: str,
    test: Mapping[int, float] | list[float],
    validation: Mapping[int, float] | list[float],
    sample_count: int = 100,
    recipe: Recipe = KL,
    control: str | None = None,
    first_number: int = 0,
    **fields: Any,
) -> list[TrialRecord]:
    """One confirmation per replicate, with the test and validation accuracies given (by index, or in order)."""
    test, validation = _by_index(test), _by_index(validation)
    return [
        make_record(
            first_number + place,
            Kind.CONFIRM,
            sample_count,
            recipe=recipe,
            control=control,
            confirms=confirms,
            replicate=replicate,
            metrics={"val_accuracy": validation[replicate], "test_accuracy": test[replicate]},
            **fields,
        )
        for place, replicate in enumerate(test)
    ]


def _by_index(values: Mapping[int, float] | list[float]) -> dict[int, float]:
    return dict(enumerate(values)) if isinstance(values, list) else dict(values)


def make_series(epochs: int = 20, start: datetime = START) -> list[Point]:
    """One evaluation per epoch, half a second apart."""
    moment = int(start.timestamp() * 1000)
    return [
        Point(
            epoch,
            moment + 500 * epoch,
            {"val_accuracy": 0.5 + 0.123456789 * epoch / epochs, "train_loss": 1.23456789 / epoch},
        )
        for epoch in range(1, epochs + 1)
    ]


def make_sweep(name: str = "digits", state: SweepState = SweepState.COMPLETE, **fields: Any) -> SweepRecord:
    """A sweep of one finished attempt over the sample counts 50, 100 and 200."""
    config: dict[str, Any] = {
        "name": name,
        "storage": "/data/kdsearch-data",
        "ledger": "sqlite:////data/kdsearch-data/ledger.db",
        "mlflow": {"tracking_uri": "sqlite:////data/kdsearch-data/mlflow.db", "experiment": None, "patience": 600.0},
        "dataset": {"name": "digits", "validation_count": 300},
        "teacher": {"name": "mlp", "sample_count": None},
        "student": {"name": "mlp", "hidden": [32, 32]},
        "sample_counts": [50, 100, 200],
        "trials_per_count": 20,
        "search": {"metric": "val_accuracy", "replicates": 1},
        "controls": ["labels", "label_smoothing", "kl_t1"],
        "confirm": {"top_k": 3, "seeds": 5},
        "max_failed_trials": None,
    }
    config.update(fields.pop("config", {}))
    fields.setdefault("attempts", (AttemptRecord(1, "host", 4242, START, START + timedelta(minutes=2), "complete"),))
    fields.setdefault(
        "teacher", {"hash": "0123abcd", "sample_count": 1000, "val_accuracy": 0.97, "parameter_count": 84_000}
    )
    fields.setdefault("uid", "5f1c0a3e9b7d4c2f8a6e1d0b3c5f7a99")
    fields.setdefault("target", 102)
    return SweepRecord(name=name, state=state, config=config, created=START, **fields)
