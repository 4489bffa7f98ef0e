"""`kdsearch distill`.

The recipe is given in plain words: sample_count=50 objective=kl temperature=4 alpha=0.8
alpha weighs the teacher, loss = (1 - alpha) * CE(labels) + alpha * soft; objective=labels takes no teacher.
The sample and the seed are those of a sweep with the same configuration.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.cli.arguments import CommandParser
from kdsearch.cli.arguments import print_json
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError

if TYPE_CHECKING:
    from kdsearch.cli.recipe_words import Request
    from kdsearch.config.compose import Composed
    from kdsearch.config.schema import SweepConfig


def configure(parser: CommandParser) -> None:
    parser.add_words("[sample_count=N] [objective=NAME] [HYPERPARAMETER=VALUE …] [KEY=VALUE …]", compose=_config)
    parser.add_argument("--compare-labels", action="store_true", help="train the same student on labels alone, too")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def run(options: argparse.Namespace) -> int:
    from kdsearch.cli.single import load
    from kdsearch.cli.single import refuse_several
    from kdsearch.cli.single import train
    from kdsearch.recipe import Recipe

    request, composed = _read(options.words)
    config = composed.config
    refuse_several(config)
    count = request.sample_count or config.sample_counts[0]
    splits, teacher = load(config)
    recipes = [request.recipe]
    if options.compare_labels:
        recipes.append(Recipe("labels", 0.0, training=request.recipe.training))
    results = {recipe.label(): train(config, recipe, splits, teacher, count) for recipe in recipes}
    if options.json:
        print_json({"sample_count": count, "recipes": results})
    else:
        _print(results, count, config)
    return ExitCode.DONE


def _config(options: argparse.Namespace) -> Mapping[str, Any]:
    request, composed = _read(options.words, outside_world=False)
    return {**composed.stored, "recipe": request.recipe.flat()}


def _read(words: list[str], *, outside_world: bool = True) -> tuple[Request, Composed]:
    """The recipe and the configuration, or everything that is wrong with both."""
    from kdsearch.cli.recipe_words import read_recipe
    from kdsearch.config.compose import compose_sweep

    request, overrides, problems = read_recipe(words)
    if request.sample_count is not None:
        overrides = [*overrides, f"sample_counts=[{request.sample_count}]"]
    try:
        composed = compose_sweep(overrides, outside_world=outside_world)
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None
    if problems:
        raise InputError(problems)
    return request, composed


def _print(results: dict[str, dict[str, float]], count: int, config: SweepConfig) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(f"{config.dataset.name}, n={count}", *results)
    for name in next(iter(results.values())):
        table.add_row(name, *(f"{metrics[name]:.4f}" if name in metrics else "" for metrics in results.values()))
    console = Console()
    console.print(table)
    if len(results) == 2:
        distilled, labels = (metrics["val_accuracy"] for metrics in results.values())
        console.print(
            f"gain over labels: {100 * (distilled - labels):+.1f} points of validation accuracy, one seed each"
        )
