"""The few numbers that stand above everything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kdsearch.progress.formatting import duration_text
from kdsearch.report.content import Content
from kdsearch.report.gains import gains
from kdsearch.report.gains import leading
from kdsearch.report.wording import points
from kdsearch.report.wording import times


@dataclass(frozen=True)
class Tile:
    title: str
    value: str
    note: str


def headline(content: Content) -> list[Tile]:
    return [*_gain(content), *_labels_saved(content), *_teacher(content), *_time(content)]


def _gain(content: Content) -> Iterator[Tile]:
    leader = leading(gains(content.results.summaries))
    if leader is not None:
        summary = leader.summary
        title = "largest clear gain over labels only" if leader.standing == "clear gain" else "gain over labels only"
        note = f"points of {summary.evaluated_on} accuracy at n={summary.sample_count}"
        unsure = {"unclear": ", not clear", "clear loss": ", a clear loss"}.get(leader.standing, "")
        yield Tile(title, points(leader.value), f"{note}{unsure}")


def _labels_saved(content: Content) -> Iterator[Tile]:
    """The largest measured data efficiency, or the largest lower bound where none was measured."""
    measured = [found for found in content.labels_saved if found.efficiency.value and not found.efficiency.reason]
    bounds = [found for found in content.labels_saved if found.efficiency.at_least is not None]
    found = max(measured, key=lambda f: f.efficiency.value or 0.0, default=None) or max(
        bounds, key=lambda f: f.efficiency.at_least or 0.0, default=None
    )
    if found is not None and max(found.efficiency.value or 0.0, found.efficiency.at_least or 0.0) > 1:
        note = f"labels that it takes without distillation, at n={found.sample_count}"
        yield Tile("data efficiency", times(found.efficiency).removesuffix(" labels").removeprefix("≈ "), note)


def _teacher(content: Content) -> Iterator[Tile]:
    teacher = content.results.sweep.teacher
    for split, name in (("test", "test"), ("val", "validation")):
        value = teacher.get(f"{split}_accuracy")
        if value is not None:
            labels = teacher.get("sample_count")
            note = f"{name} accuracy" + ("" if labels is None else f", with {labels:,} labels")
            yield Tile("teacher", f"{100 * float(value):.1f} %", note)
            return


def _time(content: Content) -> Iterator[Tile]:
    attempts = len(content.results.sweep.attempts)
    if content.effort.seconds:
        note = f"in {attempts} attempt{'s' if attempts > 1 else ''}"
        yield Tile("time", duration_text(content.effort.seconds), note)
