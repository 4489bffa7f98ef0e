"""What `config.json` says about an exported student."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from kdsearch import __version__
from kdsearch.config.stored import stored_part
from kdsearch.report.confirmation import confirmation_rounds
from kdsearch.report.labels_used import labels_used
from kdsearch.report.labels_used import teacher_facts
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import unlabelled_count
from kdsearch.report.wording import times
from kdsearch.students.choice import Best

if TYPE_CHECKING:
    from kdsearch.data import Splits
    from kdsearch.sweep import Sweep

FORMAT = 1
TOKENIZER = "tokenizer.json"
TRAINING = ("epochs", "steps", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay", "schedule")


def config_of(sweep: Sweep, best: Best, splits: Splits, summary: CountSummary) -> dict[str, Any]:
    """All accuracies are fractions; `ci95` is the half-width of a 95 % t-interval over `seeds` values."""
    record, trial, network = sweep.record, best.trial, best.student.description
    is_text = network.vocabulary_size is not None
    names = splits.class_names
    used = labels_used(record, trial.recipe, summary.sample_count)
    return {
        "format": FORMAT,
        "kdsearch": __version__,
        "sweep": record.name,
        "uid": record.uid,
        "sample_count": summary.sample_count,
        "network": network.to_dict(),
        "input": {
            "shape": list(network.input_shape),
            "dtype": "int64" if is_text else "float32",
            "vocabulary_size": network.vocabulary_size,
        },
        "output": {"class_count": network.class_count, "class_names": None if names is None else list(names)},
        "preprocessing": None if splits.preprocessing is None else dict(splits.preprocessing),
        "recipe": trial.recipe.flat(),
        "recipe_label": trial.recipe.label(),
        "training": _training(sweep, best),
        "student": {
            "trial": trial.key,
            "parameters": int(trial.metrics["student_parameters"]),
            "seed": trial.seed,
            "subset_seed": trial.subset_seed,
            **{name: trial.metrics[name] for name in ("val_accuracy", "test_accuracy") if name in trial.metrics},
        },
        "metrics": {
            "distilled": _metrics(summary, "distilled", summary.distilled),
            "labels": _metrics(summary, "labels", summary.labels),
        },
        "gain": _estimate(summary.gain),
        "data_efficiency": {
            "value": summary.data_efficiency.value,
            "at_least": summary.data_efficiency.at_least,
            "reason": summary.data_efficiency.reason,
            "words": times(summary.data_efficiency),
        },
        "confirmation_rounds": confirmation_rounds(sweep.records),
        "dataset": {
            "name": splits.name,
            "fingerprint": splits.fingerprint,
            "subset": trial.recipe.subset or splits.subset,
        },
        "labels_used": {
            "training": used.student,
            "validation": used.validation,
            "teacher": used.teacher,
            "unlabelled": unlabelled_count(record),
        },
        "teacher": _teacher(sweep, best),
        "left_out": {},
        "checked_samples": 0,
    }


def _teacher(sweep: Sweep, best: Best) -> dict[str, Any]:
    """The record of the teacher that the recipe had."""
    own = teacher_facts(sweep.record, best.trial.recipe.teacher)
    return {key: value for key, value in own.items() if isinstance(value, str | int | float)}


def _training(sweep: Sweep, best: Best) -> dict[str, Any]:
    stored = stored_part(sweep.record.config, "training")
    chosen = {key: stored[key] for key in TRAINING if stored.get(key) is not None}
    return chosen | dict(best.trial.recipe.training)


def _metrics(summary: CountSummary, who: str, accuracy: Estimate | None) -> dict[str, Any] | None:
    if accuracy is None:
        return None
    others = {name: _estimate(value) for name, value in summary.metrics.get(who, {}).items()}
    return {"test_accuracy": _estimate(accuracy), **others}


def _estimate(value: Estimate | None) -> dict[str, Any] | None:
    return None if value is None else {"mean": value.mean, "ci95": value.ci95, "seeds": value.seeds}
