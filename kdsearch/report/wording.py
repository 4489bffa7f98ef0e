"""The words in which results are told, the same in the terminal, the report and MLflow."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from kdsearch.config.locations import DEFAULT_STORAGE
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.data_efficiency import DataEfficiency
from kdsearch.report.gains import Gain
from kdsearch.report.gains import gains
from kdsearch.report.gains import leading
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import CountSummary
from kdsearch.report.summary import failures
from kdsearch.report.summary import summarize


def percent(value: Estimate | None) -> str:
    """`87.5 ± 1.2`, in percent; a single value has no interval."""
    if value is None:
        return "–"
    return f"{100 * value.mean:.1f}" + (f" ± {100 * value.ci95:.1f}" if value.ci95 is not None else "")


def plain(value: Estimate | None) -> str:
    """`0.52 ± 0.01`, as it is."""
    if value is None:
        return "–"
    return f"{value.mean:.2f}" + (f" ± {value.ci95:.2f}" if value.ci95 is not None else "")


def points(value: Estimate | None) -> str:
    """`+10.3 ± 2.0`, in percentage points."""
    if value is None:
        return "–"
    return f"{100 * value.mean:+.1f}" + (f" ± {100 * value.ci95:.1f}" if value.ci95 is not None else "")


def times(efficiency: DataEfficiency) -> str:
    """`≈ 4.1× labels`; with `>` or `≤` where the labels-only curve gives only a bound."""
    if efficiency.at_least is not None:
        return f"> {efficiency.at_least:.1f}× labels"
    if efficiency.value is None:
        return "–"
    return f"{'≤' if efficiency.reason else '≈'} {efficiency.value:.1f}× labels"


def verdict(sweep: SweepRecord, records: Sequence[TrialRecord]) -> str:
    """What the sweep has shown, by its clear gains first."""
    done = sum(record.state.is_finished for record in records)
    so_far = (
        ""
        if sweep.state is SweepState.COMPLETE
        else f"{sweep.state.value.capitalize()}, {done} of {sweep.target} trials done. "
    )
    return so_far + _finding(summarize(sweep, records), records)


def next_commands(sweep: SweepRecord, working_folder: Path | None = None) -> list[str]:
    """What to type next, ready to paste; locations are named where they are not the default of `working_folder`."""
    where = locations(sweep, working_folder or Path.cwd())
    more = 2 * int(sweep.config["trials_per_count"])
    resume = [] if sweep.state is not SweepState.COMPLETE else [f"trials_per_count={more}"]
    return [
        shlex.join(["kdsearch", "ui", sweep.name, *where]),
        shlex.join(["kdsearch", "report", sweep.name, *where]),
        shlex.join(["kdsearch", "resume", sweep.name, *resume, *where]),
    ]


def _finding(summaries: Sequence[CountSummary], records: Sequence[TrialRecord]) -> str:
    found = gains(summaries)
    leader = leading(found)
    if leader is not None:
        return " ".join([_leading_sentence(leader, found), *_rest(leader, found)])
    distilled = [(summary, summary.distilled) for summary in summaries if summary.distilled is not None]
    if distilled:
        summary, value = distilled[-1]
        of_seed = "" if summary.labels is None else "of the same seeds "
        return (
            f"Best at n={summary.sample_count}: {percent(value)} % {summary.evaluated_on} accuracy with"
            f" {summary.recipe_label}; without a labels-only result {of_seed}its gain is not known."
        )
    failed = failures(records)
    if failed and sum(failed.values()) == sum(record.state.is_finished for record in records):
        reasons = ", ".join(f"{count} {reason}" for reason, count in failed.items())
        return f"Every trial failed ({reasons})."
    return "No searched trial has finished."


def _leading_sentence(leader: Gain, found: Sequence[Gain]) -> str:
    summary, gain = leader.summary, leader.together
    amount = f"{100 * gain.mean:+.1f} points of {summary.evaluated_on} accuracy{_interval(leader)}"
    unconfirmed = "" if summary.evaluated_on == "test" else "; not confirmed on the test split"
    where = f"at n={summary.sample_count}"
    is_gain = leader.standing == "clear gain" or (leader.standing == "no interval" and gain.mean > 0)
    if not is_gain:
        return f"No clear gain over labels only: at best {amount} {where} with {summary.recipe_label}{unconfirmed}."
    is_largest = all(other.value.mean <= gain.mean for other in found)
    verb = "gains most" if is_largest else "clearly gains most"
    saved = _saved(summary.data_efficiency)
    return f"Distillation {verb} {where}: {amount} with {summary.recipe_label}{saved}{unconfirmed}."


def _interval(gain: Gain) -> str:
    if gain.together.ci95 is None:
        return " (one seed, so without an interval)" if gain.summary.evaluated_on == "test" else ""
    together = f", for all {gain.compared} sample counts together" if gain.compared > 1 else ""
    return f" (95 % interval {100 * gain.together.low:+.1f} to {100 * gain.together.high:+.1f}{together})"


def _saved(efficiency: DataEfficiency) -> str:
    if efficiency.value is not None and efficiency.value > 1:
        return f", as good as labels only with {efficiency.value:.1f} times the labels"
    if efficiency.at_least is not None and efficiency.at_least > 1:
        return f", better than labels only with {efficiency.at_least:.1f} times the labels"
    return ""


def _rest(leader: Gain, found: Sequence[Gain]) -> Iterator[str]:
    """The sample counts that the leading one does not speak for, by how sure they are."""
    said = {
        "unclear": "Not clear {}.",
        "clear loss": "Clearly worse than labels only {}.",
        "no interval": "Without an interval {}.",
    }
    for standing, sentence in said.items():
        others = [gain for gain in found if gain.standing == standing and gain is not leader]
        if others and not (standing == leader.standing == "no interval"):
            told = ", ".join(f"n={gain.sample_count} ({points(gain.together)})" for gain in others)
            yield sentence.format(f"at {told}")


def locations(sweep: SweepRecord, working_folder: Path) -> list[str]:
    """The overrides that say where a sweep is, where that is not the default of `working_folder`."""
    storage, ledger = str(sweep.config["storage"]), sweep.config.get("ledger")
    tracking_uri = sweep.config.get("mlflow", {}).get("tracking_uri")
    overrides = []
    if storage != str(working_folder / DEFAULT_STORAGE):
        overrides.append(f"storage={storage}")
    if ledger not in (None, f"sqlite:///{storage}/ledger.db"):
        overrides.append(f"ledger={ledger}")
    if tracking_uri not in (None, f"sqlite:///{storage}/mlflow.db"):
        overrides.append(f"mlflow.tracking_uri={tracking_uri}")
    return overrides
