"""`kdsearch export`: one folder for each sample count, all of them or none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.export.card import model_card
from kdsearch.export.contents import TOKENIZER
from kdsearch.export.contents import config_of
from kdsearch.export.student import CONFIG
from kdsearch.export.student import WEIGHTS
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import search_metric
from kdsearch.report.summary import summarize
from kdsearch.students.choice import Best
from kdsearch.students.choice import best_student
from kdsearch.students.choice import chosen_recipes

if TYPE_CHECKING:
    from torch import Tensor
    from torch import nn

    from kdsearch.data import Splits
    from kdsearch.sweep import Sweep

CHECKED = 64
"""Real samples on which every file is compared with the student."""

SLACK = 0.005
"""What validation accuracy may differ by from the confirmation's, which another device rounds otherwise."""


@dataclass(frozen=True)
class Exported:
    """What was written for one sample count."""

    folder: Path
    summary: CountSummary
    left_out: Mapping[str, str]
    """Why a file is not there, by name."""
    target: str | None
    """The import path of a user's own network."""


def export_sweep(sweep: Sweep, output: Path) -> list[Exported]:
    """Write the best student of each confirmed sample count to `output`/n=<count>, and check what was written.

    Raises:
        InputError: `output` is there and not empty, nothing is confirmed, no student was kept, the data are not to be
            had or have changed; nothing is written.
    """
    check_output(output)
    found = _best_students(sweep)
    splits = sweep.data()
    models = _checked_models(found, splits)
    summaries = {summary.sample_count: summary for summary in summarize(sweep.record, sweep.records)}
    part = output.with_name(f".{output.name}.partial-{os.getpid()}")
    try:
        exported = [
            _export(sweep, best, models[count], splits, summaries[count], part / f"n={count}", output / f"n={count}")
            for count, best in found.items()
        ]
        part.replace(output)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return exported


def check_output(output: Path) -> None:
    """
    Raises:
        InputError: files would be mixed with others.
    """
    if output.is_dir() and any(output.iterdir()):
        raise InputError([Problem("--output", output, "is not empty; it must be a new or an empty folder")])
    if output.exists() and not output.is_dir():
        raise InputError([Problem("--output", output, "is a file; it must be a new or an empty folder")])


def _best_students(sweep: Sweep) -> dict[int, Best]:
    """By sample count, where a recipe is confirmed and its student kept."""
    choices = chosen_recipes(sweep.record, sweep.records)
    if not choices:
        is_off = int(sweep.record.config.get("confirm", {}).get("top_k", 1)) == 0
        how = "it was started with confirm.top_k=0" if is_off else f"`kdsearch resume {sweep.name}` goes on"
        raise InputError([Problem("NAME", sweep.name, f"nothing is confirmed yet, so there is no student; {how}")])
    metric = search_metric(sweep.record)
    found = {count: best_student(choice.distilled, metric, sweep.students) for count, choice in choices.items()}
    kept = {count: best for count, best in found.items() if best is not None}
    if not kept:
        allowed = f"no confirmed student is kept in {sweep.storage}; an older kdsearch kept none, or they were removed"
        raise InputError([Problem("NAME", sweep.name, allowed)])
    return kept


def _checked_models(found: Mapping[int, Best], splits: Splits) -> dict[int, nn.Module]:
    """The networks, each as good on the validation split as its confirmation said.

    Raises:
        InputError: a network that cannot be built here, or is another one by now.
    """
    from kdsearch.distiller import EvaluationSet
    from kdsearch.distiller import evaluate

    validation = EvaluationSet.of(splits.validation)
    models, problems = {}, []
    for count, best in found.items():
        models[count] = best.student.model
        score = evaluate(models[count], validation, final=False)["accuracy"]
        before = best.trial.metrics["val_accuracy"]
        if abs(score - before) > max(SLACK, 2.5 / len(validation)):
            allowed = (
                f"scores {score:.3f} on validation and its confirmation {before:.3f}: its network's code has changed"
            )
            problems.append(Problem(f"n={count}", best.trial.key, allowed))
    if problems:
        raise InputError(problems)
    return models


def _export(
    sweep: Sweep, best: Best, model: nn.Module, splits: Splits, summary: CountSummary, folder: Path, final: Path
) -> Exported:
    from safetensors.torch import save_file

    from kdsearch.export.formats import write_programs

    folder.mkdir(parents=True)
    config = config_of(sweep, best, splits, summary)
    tokenizer = (config["preprocessing"] or {}).pop("tokenizer", None)
    if tokenizer is not None:
        (folder / TOKENIZER).write_text(tokenizer, encoding="utf-8")
    save_file(dict(best.student.weights), folder / WEIGHTS, metadata={"format": "pt"})
    _write_config(folder, config)
    samples = _samples(splits)
    config |= {"left_out": write_programs(model, samples, folder), "checked_samples": len(samples)}
    if WEIGHTS in config["left_out"]:
        # There is nothing to hand out.
        raise InputError([Problem(f"n={summary.sample_count}", WEIGHTS, config["left_out"][WEIGHTS])])
    _write_config(folder, config)
    (folder / "README.md").write_text(model_card(config, f"{final.parent.name}/{final.name}"), encoding="utf-8")
    return Exported(final, summary, config["left_out"], best.student.description.target)


def _samples(splits: Splits) -> Tensor:
    """Real inputs, of the validation split: the test split is not to be read."""
    import numpy as np
    import torch

    return torch.from_numpy(np.asarray(splits.validation.inputs)[:CHECKED])


def _write_config(folder: Path, config: dict[str, Any]) -> None:
    (folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
