"""What a sweep consists of: its studies, the trials each is to have, and what is confirmed when a study is done."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import Any
from typing import cast

from kdsearch.config.schema import SweepConfig
from kdsearch.ledger import Kind
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialState
from kdsearch.objectives.spec import LABELS
from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import TEMPERATURE
from kdsearch.recipe import Recipe
from kdsearch.recipe import Signal
from kdsearch.search.space import Space
from kdsearch.search.space import labels_space
from kdsearch.search.space import search_space

DEFAULT_SMOOTHING = 0.1

MINIMIZED_METRICS = frozenset({"val_nll"})


@dataclass(frozen=True)
class FixedTrial:
    """A trial whose recipe is not searched: a control, or one seed of a confirmation."""

    recipe: Recipe
    control: str | None = None
    confirms: str | None = None
    replicate: int | None = None

    @property
    def identity(self) -> tuple[str | None, str | None, int | None]:
        return (self.control, self.confirms, self.replicate)


@dataclass(frozen=True)
class StudyPlan:
    """One study: either `searched` trials from `space`, or the `fixed` ones."""

    name: str
    kind: Kind
    sample_count: int
    space: Space | None = None
    searched: int = 0
    fixed: tuple[FixedTrial, ...] = ()

    def generation(self, number: int) -> StudyPlan:
        """The same study after its space was changed `number - 1` times."""
        return self if number == 1 else replace(self, name=f"{self.name}/g{number}")


def maximizes(metric: str) -> bool:
    return metric not in MINIMIZED_METRICS


def cost_metric(config: SweepConfig) -> str | None:
    """The final metric that the search is to keep small beside its own."""
    return None if config.search.pareto is None else f"student_{config.search.pareto}"


def control_plans(config: SweepConfig) -> list[StudyPlan]:
    """The controls of every sample count; with training keys searched, labels-only is searched over them as well."""
    fixed = tuple(_fixed_controls(config))
    rival = labels_space(config.search_space) if any(control.control == LABELS for control in fixed) else None
    plans = []
    for n in config.sample_counts:
        if fixed:
            plans.append(StudyPlan(f"{config.name}/controls/n={n}", Kind.CONTROL, n, fixed=fixed))
        if rival is not None:
            name = f"{config.name}/controls/{LABELS}/n={n}"
            plans.append(StudyPlan(name, Kind.CONTROL, n, rival, config.trials_per_count))
    return plans


def search_plans(config: SweepConfig) -> list[StudyPlan]:
    space = search_space(config.search_space)
    return [
        StudyPlan(f"{config.name}/n={n}", Kind.SEARCH, n, space, config.trials_per_count) for n in config.sample_counts
    ]


def confirm_plan(config: SweepConfig, sample_count: int, trials: Sequence[TrialRecord]) -> StudyPlan | None:
    """The confirmation of one sample count, given all its finished trials; None when confirmation is off.

    The `top_k` searched recipes, every control, and the best of the searched labels-only rivals.
    """
    if config.confirm.top_k == 0:
        return None
    complete = [t for t in trials if t.sample_count == sample_count and t.state is TrialState.COMPLETE]
    best_first = sorted(
        (t for t in complete if t.value is not None),
        key=lambda t: (-t.value if maximizes(config.search.metric) else t.value, t.number),  # type: ignore[operator]
    )
    searched = [t for t in best_first if t.kind is Kind.SEARCH][: config.confirm.top_k]
    rivals = [t for t in best_first if t.kind is Kind.CONTROL and t.params][:1]
    controls = [t for t in complete if t.kind is Kind.CONTROL and not t.params]
    fixed = tuple(
        FixedTrial(trial.recipe, trial.control, trial.key, replicate)
        for replicate in range(config.confirm.seeds)
        for trial in (*controls, *rivals, *searched)
    )
    return StudyPlan(f"{config.name}/confirm/n={sample_count}", Kind.CONFIRM, sample_count, fixed=fixed)


def planned_target(config: SweepConfig) -> int:
    """How many trials the sweep is to have in all, if every study can fill its confirmation."""
    plans = (*control_plans(config), *search_plans(config))
    started = sum(plan.searched + len(plan.fixed) for plan in plans)
    return started + len(config.sample_counts) * confirmations_per_count(config)


def targets_by_count(config: SweepConfig) -> dict[int, int]:
    """`planned_target` by sample count."""
    per_count = planned_target(config) // len(config.sample_counts)
    return dict.fromkeys(config.sample_counts, per_count)


def confirmations_per_count(config: SweepConfig) -> int:
    if config.confirm.top_k == 0:
        return 0
    controls = [control.control for control in _fixed_controls(config)]
    rivals = 1 if labels_space(config.search_space) and LABELS in controls else 0
    return (min(config.confirm.top_k, config.trials_per_count) + len(controls) + rivals) * config.confirm.seeds


def _fixed_controls(config: SweepConfig) -> Iterable[FixedTrial]:
    """Every control; one that two entries ask for is there once."""
    controls = [control for entry in config.controls for control in _controls(entry, config)]
    return {control.control: control for control in controls}.values()


def _controls(entry: str | dict[str, tuple[float, ...]], config: SweepConfig) -> Iterable[FixedTrial]:
    """The trials of one entry of `controls`: a name, or a name with a list of fixed values."""
    name, values = (entry, None) if isinstance(entry, str) else next(iter(entry.items()))
    match name:
        case "labels":
            yield FixedTrial(Recipe(LABELS, 0.0), control=name)
        case "label_smoothing":
            for value in values or (DEFAULT_SMOOTHING,):
                label = f"{name}={value:g}" if values else name
                yield FixedTrial(Recipe(LABELS, 0.0, label_smoothing=value), control=label)
        case "kl":
            for value in values or (TEMPERATURE.default,):
                label = f"{name}={value:g}" if values else name
                yield FixedTrial(_pure_kl(value), control=label)
        case "kl_t1":
            yield FixedTrial(_pure_kl(1.0), control=name)
        case "smoothed_teacher" | "shuffled_teacher" | "random_head":
            signal = cast(Signal, name.removesuffix("_teacher"))
            yield FixedTrial(_pure_kl(signal=signal), control=name)
        case "teachers":
            for teacher in config.teachers:
                yield FixedTrial(_pure_kl(teacher=teacher), control=f"teacher={teacher}")
        case "students":
            for student in config.students:
                yield FixedTrial(Recipe(LABELS, 0.0, student=student), control=f"labels student={student}")
                yield FixedTrial(_pure_kl(student=student), control=f"kl student={student}")
        case _ if name in SPECS:
            yield FixedTrial(Recipe.from_params({"objective": name, "alpha": 1.0}), control=name)
        case _:
            raise ValueError(f"unknown control: {name}")


def _pure_kl(temperature: float = TEMPERATURE.default, **choices: Any) -> Recipe:
    """Distillation alone (alpha=1) by KL, with nothing searched."""
    return replace(Recipe("kl", 1.0, {"temperature": float(temperature)}), **choices)


CONTROLS = (
    *("labels", "label_smoothing", "kl_t1", "smoothed_teacher", "shuffled_teacher", "random_head"),
    *("teachers", "students"),
    *SPECS,
)
"""The names that `controls` may hold: labels only and label smoothing; `kl` at temperature 1; teachers that are none
(`kdsearch.teacher.altered`); KL with each of the sweep's `teachers`, labels only and KL with each of its `students`;
and every objective with its defaults. Without labels all of them (alpha=1) but the first two."""

WITH_VALUES = ("label_smoothing", "kl")
"""The controls that may be given several values: of ε, and of the temperature."""
