"""What keeps a sweep from saying more than it does."""

from __future__ import annotations

from collections.abc import Iterator

from kdsearch.ledger.records import SweepState
from kdsearch.report.results import Results


def remarks(results: Results) -> list[str]:
    """Sentences for people, the most important first; none for a whole sweep."""
    return [*_state(results), *_confirmation(results), *_comparison(results), *_breadth(results)]


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


def _comparison(results: Results) -> Iterator[str]:
    lacking = [str(s.sample_count) for s in results.summaries if s.distilled is not None and s.labels is None]
    if lacking:
        yield f"There is no labels-only result at n={', '.join(lacking)}, so the gain is not known there."


def _breadth(results: Results) -> Iterator[str]:
    if len(results.summaries) == 1:
        yield (
            f"n={results.summaries[0].sample_count} is the only sample count: how the gain changes with n, and how many"
            " labels are saved, takes more of them."
        )
