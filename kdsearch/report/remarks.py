"""What keeps a sweep from saying more than it does."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from kdsearch.ledger.records import SweepState
from kdsearch.report.confirmation import FailedSeeds
from kdsearch.report.confirmation import failed_seeds
from kdsearch.report.results import Results

MOST_NAMED = 4
"""Recipes that a sentence names."""


def remarks(results: Results) -> list[str]:
    """Sentences for people, the most important first; none for a whole sweep."""
    return [
        *_state(results),
        *_confirmation(results),
        *_failed_seeds(results),
        *_comparison(results),
        *_breadth(results),
    ]


def _state(results: Results) -> Iterator[str]:
    match results.sweep.state:
        case SweepState.RUNNING:
            yield "The sweep is still running: this is how far it has come."
        case SweepState.INTERRUPTED | SweepState.STOPPED:
            yield f"The sweep ended before its target; `kdsearch resume {results.sweep.name}` goes on."


def _confirmation(results: Results) -> Iterator[str]:
    found = [summary for summary in results.summaries if summary.distilled is not None]
    open_counts = [str(summary.sample_count) for summary in found if summary.evaluated_on == "validation"]
    if not open_counts:
        return
    where = "" if len(open_counts) == len(found) else f" at n={', '.join(open_counts)}"
    yield f"Nothing is confirmed on the test split{where}: the best of many single trials is shown, and flatters."


def _failed_seeds(results: Results) -> Iterator[str]:
    found = failed_seeds(results.records)
    lost = [seeds for seeds in found if not seeds.finished]
    partly = [seeds for seeds in found if seeds.finished]
    if lost:
        yield f"Every seed of the confirmation failed of {_listed(lost)}: what is shown does without."
    if partly:
        yield f"Seeds of the confirmation failed, of {_listed(partly)}: means and intervals are those of the others."


def _listed(seeds: Sequence[FailedSeeds]) -> str:
    """`kl T=4 a=0.80 at n=50 (2 of 8)`, and how many more."""
    told = [f"{s.label} at n={s.sample_count} ({s.failed} of {s.failed + s.finished})" for s in seeds[:MOST_NAMED]]
    more = len(seeds) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _comparison(results: Results) -> Iterator[str]:
    known = [summary for summary in results.summaries if summary.distilled is not None]
    lacking = [str(summary.sample_count) for summary in known if summary.labels is None]
    if lacking:
        yield f"There is no labels-only result at n={', '.join(lacking)}, so the gain is not known there."
    apart = [str(s.sample_count) for s in known if s.labels is not None and s.gain is None]
    if apart:
        yield f"Labels only and the best recipe have no seed in common at n={', '.join(apart)}: no gain is told."
    alone = [str(s.sample_count) for s in known if s.evaluated_on == "test" and s.gain and s.gain.ci95 is None]
    if alone:
        yield f"The gain at n={', '.join(alone)} rests on one seed, so it has no interval."


def _breadth(results: Results) -> Iterator[str]:
    if len(results.summaries) == 1:
        yield (
            f"n={results.summaries[0].sample_count} is the only sample count: how the gain changes with n, and how many"
            " labels are saved, takes more of them."
        )
