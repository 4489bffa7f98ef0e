"""What a sweep shows when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.gains import gains
from kdsearch.report.labels_used import labels_used
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import failures
from kdsearch.report.summary import summarize
from kdsearch.report.wording import next_commands
from kdsearch.report.wording import percent
from kdsearch.report.wording import points
from kdsearch.report.wording import times
from kdsearch.report.wording import verdict

NARROWEST_RECIPE = 12
STYLES: Mapping[str | None, str] = {"clear gain": "green", "clear loss": "red"}


def leaderboard(
    sweep: SweepRecord, records: Sequence[TrialRecord], working_folder: Path | None = None
) -> RenderableType:
    """Per sample count labels only, best recipe, gain and data efficiency; then failures and the next commands."""
    summaries = summarize(sweep, records)
    parts: list[RenderableType] = [_table(sweep, summaries), Text(), Text(verdict(sweep, records), style="bold")]
    failed = failures(records)
    if failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in failed.items())
        parts.append(Text(f"{sum(failed.values())} trials failed: {reasons}", style="red"))
    labels = _labels_used(sweep, summaries)
    if labels is not None:
        parts.append(Text(labels, style="dim"))
    parts.append(Text())
    parts += [Text(f"  {command}", style="cyan", no_wrap=True) for command in next_commands(sweep, working_folder)]
    return Group(*parts)


def _table(sweep: SweepRecord, summaries: Sequence[CountSummary]) -> Table:
    splits = {summary.evaluated_on for summary in summaries}
    is_mixed = len(splits) > 1
    split = "accuracy %" if is_mixed else f"{next(iter(splits), 'validation')} accuracy %"
    title = Text(f"{sweep.name}: {split}, mean ± 95 % interval")
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("n", "labels only", "best recipe", "accuracy", "gain", "data efficiency"):
        is_text = column == "best recipe"
        # Of what is too wide for the terminal, recipes go on below; no column is left out.
        width = NARROWEST_RECIPE if is_text else None
        table.add_column(column, justify="left" if is_text else "right", no_wrap=not is_text, min_width=width)
    if is_mixed:
        table.add_column("split")
    standings = {gain.sample_count: gain.standing for gain in gains(summaries)}
    for summary in summaries:
        standing = standings.get(summary.sample_count)
        cells = [
            Text(str(summary.sample_count)),
            Text(percent(summary.labels)),
            Text(summary.recipe_label or "–"),
            Text(percent(summary.distilled)),
            Text(points(summary.gain), style=STYLES.get(standing, "")),
            Text(times(summary.data_efficiency)),
        ]
        table.add_row(*cells, *([Text(summary.evaluated_on)] if is_mixed else []))
    return table


def _labels_used(sweep: SweepRecord, summaries: Sequence[CountSummary]) -> str | None:
    """What labels the best recipes cost: a line, since a column would leave no room for the recipes in 80 columns."""
    counts: dict[str, list[int]] = {}
    for summary in summaries:
        if summary.recipe is not None:
            _, _, rest = str(labels_used(sweep, summary.recipe, summary.sample_count)).partition(" + ")
            counts.setdefault(rest, []).append(summary.sample_count)
    if not counts:
        return None
    if len(counts) == 1:
        return f"labels used: n + {next(iter(counts))} (student + validation + teacher)"
    each = "; ".join(f"n + {rest} at n={', '.join(map(str, ns))}" for rest, ns in counts.items())
    return f"labels used (student + validation + teacher): {each}"
