"""The recipe to use at each sample count, and how to train a student with it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdsearch.objectives.spec import LABELS
from kdsearch.recipe import STUDENT
from kdsearch.recipe import TEACHER
from kdsearch.recipe import TRAINING_PARAMETERS
from kdsearch.recipe import Recipe
from kdsearch.report.gains import Standing
from kdsearch.report.gains import gains
from kdsearch.report.reproduction import STUDENT_KEYS
from kdsearch.report.reproduction import Composer
from kdsearch.report.results import Results
from kdsearch.report.summary import CountSummary
from kdsearch.report.wording import locations


@dataclass(frozen=True)
class Recommendation:
    """One sample count's recipe."""

    summary: CountSummary
    recipe: Recipe
    command: str | None
    """`kdsearch distill …`: the same recipe on the search's own subset; None where the configuration can't be told in
    overrides."""
    python: str | None
    """Likewise in Python, on a subset of its own; None where `kdsearch.distill` can't be told the recipe."""
    standing: Standing | None = None
    """Of its gain over labels only; None where that is not known."""

    @property
    def is_better(self) -> bool | None:
        """Whether it beats labels only beyond the interval that holds for all sample counts; None where not known."""
        return None if self.standing in (None, "no interval") else self.standing == "clear gain"


def recommendations(
    results: Results, composer: Composer | None = None, working_folder: Path | None = None
) -> list[Recommendation]:
    """Of each sample count with a finished recipe, smallest first."""
    folder, composer = working_folder or Path.cwd(), composer or Composer()
    known: dict[tuple[str | None, str | None], list[str] | None] = {}
    standings = {gain.sample_count: gain.standing for gain in gains(results.summaries)}
    found = []
    for summary in results.summaries:
        if summary.recipe is None:
            continue
        chosen = (summary.recipe.teacher, summary.recipe.student)
        if chosen not in known:
            known[chosen] = _overrides(results, composer, *chosen, folder)
        recommendation = _recommendation(summary, summary.recipe, known[chosen], results.sweep.config)
        found.append(replace(recommendation, standing=standings.get(summary.sample_count)))
    return found


def _overrides(
    results: Results, composer: Composer, teacher: str | None, student: str | None, folder: Path
) -> list[str] | None:
    """Those that lead to the sweep's data, the teacher and student of a recipe, and its storage."""
    config = dict(results.sweep.config)
    for group, name in ((TEACHER, teacher), (STUDENT, student)):
        if name is not None:
            config[group] = (config.get(f"{group}s") or {}).get(name, config.get(group))
    found = composer.overrides(config, STUDENT_KEYS)
    return None if found is None else [*found, *locations(results.sweep, folder)]


def _recommendation(
    summary: CountSummary, recipe: Recipe, overrides: Sequence[str] | None, config: Mapping[str, Any]
) -> Recommendation:
    if overrides is None:
        return Recommendation(summary, recipe, None, None)
    params = _params(recipe)
    words = [f"sample_count={summary.sample_count}", *(f"{name}={_word(value)}" for name, value in params.items())]
    command = shlex.join(["kdsearch", "distill", *words, *overrides])
    can_be_told = recipe.feature is None and not config["dataset"].get("unlabelled_count")
    return Recommendation(summary, recipe, command, _python(summary, params, overrides) if can_be_told else None)


def _params(recipe: Recipe) -> dict[str, Any]:
    """As `kdsearch distill` takes them: teacher and student are chosen by their groups."""
    names = {TEACHER, STUDENT} | ({"alpha"} if recipe.objective == LABELS else set())
    return {name: value for name, value in recipe.flat().items() if name not in names}


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _python(summary: CountSummary, params: Mapping[str, Any], overrides: Sequence[str]) -> str:
    """`kdsearch.distill` takes training keys as part of the configuration."""
    training = [f"training.{name}={params[name]!r}" for name in TRAINING_PARAMETERS if name in params]
    told = {name: value for name, value in params.items() if name not in TRAINING_PARAMETERS}
    arguments = [f"sample_count={summary.sample_count}", *(f"{name}={value!r}" for name, value in told.items())]
    return "\n".join(
        [
            "import kdsearch",
            "from kdsearch.config.compose import compose_sweep",
            "from kdsearch.data import load_splits",
            "",
            f"config = compose_sweep({[*overrides, *training]!r}).config",
            "data = load_splits(config.dataset, config.seed)",
            "teacher = kdsearch.train_teacher(data, config.teacher, seed=config.seed, storage=config.storage)",
            "student = kdsearch.distill(",
            f"    data, teacher, {', '.join(arguments)},",
            "    student=config.student, training=config.training, seed=config.seed,",
            ")",
            'print(student.metrics["val_accuracy"])',
        ]
    )
