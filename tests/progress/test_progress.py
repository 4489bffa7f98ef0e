from __future__ import annotations

import io

import pytest
from rich.console import Console

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import TrialState
from kdsearch.progress import Best
from kdsearch.progress import CountRow
from kdsearch.progress import Phase
from kdsearch.progress import Progress
from kdsearch.progress import ProgressSnapshot
from kdsearch.progress import Tally
from kdsearch.progress import make_progress
from kdsearch.progress.formatting import Pace
from kdsearch.progress.formatting import duration_text
from kdsearch.progress.lines import Lines
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def snapshot(done: int, target: int = 100, phase: Phase = Phase.SEARCHING, elapsed: float = 0.0) -> ProgressSnapshot:
    row = CountRow(50, complete=done, target=target, best=Best("kl T=4.2 a=0.80", 0.875), labels=0.776)
    return ProgressSnapshot(phase, (row,), target, done, elapsed)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


def lines(output: io.StringIO, clock: Clock) -> Progress:
    return Progress(Lines(Console(file=output, width=80), clock))


def test_lines_show_phases_and_the_first_result_at_once(output: io.StringIO, clock: Clock) -> None:
    progress = lines(output, clock)
    progress.update(ProgressSnapshot(Phase.STARTING))
    progress.update(ProgressSnapshot(Phase.TEACHER, elapsed=3))
    progress.update(snapshot(0, elapsed=9))
    progress.update(snapshot(1, elapsed=9.1))
    assert output.getvalue().splitlines() == [
        "[0:00] starting Ray",
        "[0:03] training teacher",
        "[0:09] searching (0 of 100 trials done)",
        "[0:09] 1/100 trials · n=50 labels 77.6, best 87.5 (+9.9)",
    ]


def test_lines_are_few(output: io.StringIO, clock: Clock) -> None:
    """1,000 trials in 1,000 seconds: a line per tenth, and one per half minute between them."""
    progress = lines(output, clock)
    for done in range(1001):
        clock.now = float(done)
        progress.update(snapshot(done, 1000, elapsed=done))
    progress.stop()
    printed = output.getvalue().splitlines()[1:]
    assert 11 <= len(printed) <= 50
    assert "1000/1000 trials" in printed[-1]
    assert [line for line in printed if "500/1000" in line]


def test_fast_sweeps_are_not_flooded(output: io.StringIO, clock: Clock) -> None:
    progress = lines(output, clock)
    for done in range(101):
        clock.now = 0.01 * done
        progress.update(snapshot(done))
    progress.stop()
    assert len(output.getvalue().splitlines()) == 3


def test_a_resumed_sweep_first_shows_a_result_of_its_own(output: io.StringIO, clock: Clock) -> None:
    progress = lines(output, clock)
    progress.update(snapshot(40))
    assert output.getvalue().splitlines() == ["[0:00] searching (40 of 100 trials done)"]
    progress.update(snapshot(41))
    assert "41/100 trials" in output.getvalue()


def test_the_live_table_shows_rows_failures_and_notes(output: io.StringIO) -> None:
    console = Console(file=output, width=100, force_terminal=True, color_system=None)
    with make_progress(console) as progress:
        progress.update(snapshot(1))
        progress.note("MLflow does not answer")
        progress.update(
            ProgressSnapshot(
                Phase.DONE, (CountRow(50, complete=3, failed=2, target=5),), 5, 5, failures={"non_finite": 2}
            )
        )
    text = output.getvalue()
    assert "kl T=4.2 a=0.80" in text and "+9.9" in text
    assert "MLflow does not answer" in text
    assert "failed: 2 non_finite" in text
    assert "done · 5/5 trials" in text


def test_the_live_table_fits_eighty_columns(output: io.StringIO) -> None:
    console = Console(file=output, width=80, force_terminal=True, color_system=None)
    with make_progress(console) as progress:
        progress.update(snapshot(1))
    assert "kl T=4.2 a=0.80" in output.getvalue()


def test_a_broken_display_never_reaches_the_driver(output: io.StringIO, clock: Clock) -> None:
    progress = lines(output, clock)
    output.close()
    progress.update(snapshot(1))
    progress.note("still here")
    progress.stop()


def test_markup_in_names_is_shown_as_it_is(output: io.StringIO, clock: Clock) -> None:
    progress = lines(output, clock)
    progress.note("[bold]not markup[/bold] [/]")
    assert output.getvalue() == "[bold]not markup[/bold] [/]\n"


def test_pace_counts_from_the_first_trial_of_this_attempt() -> None:
    pace = Pace()
    assert pace.left(snapshot(40, phase=Phase.TEACHER, elapsed=10)) is None
    assert pace.left(snapshot(40, elapsed=20)) is None
    assert pace.left(snapshot(42, elapsed=22)) is None
    assert pace.left(snapshot(50, elapsed=40)) == pytest.approx(100.0)


@pytest.mark.parametrize(("seconds", "text"), [(7, "0:07"), (754.9, "12:34"), (11100, "3:05:00")])
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_tally_follows_rows_through_their_states() -> None:
    tally = Tally({50: 10, 100: 10}, "val_accuracy")
    tally.update(make_record(0, sample_count=50, state=TrialState.RUNNING))
    assert tally.snapshot(Phase.SEARCHING, 1.0).running == 1
    for _ in range(2):
        tally.update(make_record(0, sample_count=50, value=0.8))
    tally.add(
        [
            make_record(1, sample_count=50, value=0.7),
            make_record(2, sample_count=50, state=TrialState.FAIL, reason=Reason.NON_FINITE),
            make_record(3, sample_count=100, state=TrialState.PRUNED),
            make_control(sample_count=50, val_accuracy=0.6),
            *make_confirmations("sweep/n=50#0", [0.99], [0.99], 50),
        ]
    )
    found = tally.snapshot(Phase.CONFIRMING, 2.0)
    assert found.counts[0] == CountRow(50, 4, 0, 0, 1, 10, Best("kl T=4.2 a=0.80", 0.8), 0.6)
    assert (found.done, found.target, found.pruned, found.failures) == (6, 20, 1, {"non_finite": 1})


def test_tally_of_a_minimised_metric_keeps_the_lowest() -> None:
    tally = Tally({100: 5}, "val_nll")
    for number, value in enumerate((0.9, 0.4, 0.6)):
        tally.update(make_record(number, value=value, kind=Kind.SEARCH))
    best = tally.snapshot(Phase.SEARCHING, 0.0).counts[0].best
    assert best is not None and best.value == 0.4
