"""How numbers are told in answers."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping

from kdsearch.questions.runs import Runs
from kdsearch.report.statistics import Estimate


def in_points(value: Estimate) -> str:
    """`+12.3 points (95 % interval +8.1 to +16.5)`."""
    return f"{100 * value.mean:+.1f} points{_interval(value, 100, '+.1f')}"


def in_percent(value: Estimate) -> str:
    return f"{100 * value.mean:+.1f} %{_interval(value, 100, '+.1f')}"


def as_ratio(value: Estimate) -> str:
    return f"{value.mean:.2f}{_interval(value, 1, '.2f')}"


def across(values: Mapping[int, Estimate]) -> str:
    """`+12.3 points (95 % interval …) at n=20, … at n=50 and … at n=100`; of many the first, middle and last."""
    counts = sorted(values)
    if len(counts) > 3:
        counts = [counts[0], counts[len(counts) // 2], counts[-1]]
    return listed(f"{in_points(values[count])} at n={count}" for count in counts)


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    parts = list(parts)
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def at_counts(counts: Iterable[int]) -> str:
    return f"n={listed(str(count) for count in sorted(counts))}"


def basis(runs: Runs, comparisons: int) -> str:
    """The last sentence: of which split the numbers are, and for how many comparisons the verdict holds."""
    if runs.split == "validation":
        return "Validation split, one run each: nothing is confirmed, so there are no intervals."
    told = f"Test split, {runs.seeds} seeds, each with a subset of its own; differences are paired."
    if comparisons > 1:
        these = "both" if comparisons == 2 else f"all {comparisons}"
        told += f" The verdict holds for {these} comparisons together at 95 % (Bonferroni)."
    return told


def _interval(value: Estimate, scale: float, form: str) -> str:
    if value.ci95 is None:
        return " (one run)"
    return f" (95 % interval {scale * value.low:{form}} to {scale * value.high:{form}})"
