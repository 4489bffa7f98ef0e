from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy import stats

from kdsearch.ledger.records import TrialRecord
from kdsearch.report import leaderboard
from kdsearch.report import summarize
from kdsearch.report import verdict
from kdsearch.report.gains import gains
from kdsearch.report.gains import leading
from kdsearch.report.write import write_report
from kdsearch.tracking.findings import findings
from tests.factories import LABELS
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep
from tests.report.test_summary import shown


def gaining(count: int, *differences: float) -> list[TrialRecord]:
    """A confirmed recipe, better than labels only by `differences`, one a seed."""
    accuracies = [0.5 + difference for difference in differences]
    return [
        make_record(0, sample_count=count, value=0.7),
        make_control(sample_count=count, val_accuracy=0.5),
        *make_confirmations(f"sweep/n={count}#0", accuracies, accuracies, count),
        *make_confirmations(
            f"c{count}#0", [0.5] * len(differences), [0.5] * len(differences), count, LABELS, "labels", 20
        ),
    ]


LARGE_UNCLEAR, CLEAR, CLEAR_LOSS = (0.4, 0.02, 0.0, 0.2), (0.05, 0.06, 0.05, 0.04), (-0.05, -0.06, -0.05, -0.04)
RECORDS = [*gaining(50, *LARGE_UNCLEAR), *gaining(100, *CLEAR), *gaining(200, *CLEAR_LOSS)]


def test_a_clear_gain_is_told_before_a_larger_one_that_is_not_clear() -> None:
    text = verdict(make_sweep(), RECORDS)
    assert text.startswith("Distillation clearly gains most at n=100: +5.0 points of test accuracy (95 % interval ")
    assert "for all 3 sample counts together" in text
    assert "Not clear at n=50 (+15.5 ± " in text
    assert "Clearly worse than labels only at n=200 (-5.0 ± " in text
    assert "No clear gain" not in text


def test_intervals_hold_for_all_sample_counts_together() -> None:
    """A gain whose own interval excludes 0, but not the one that is corrected for three sample counts."""
    differences = (0.01, 0.02, 0.03, 0.05)
    alone = [*gaining(50, *differences)]
    among = [*alone, *gaining(100, *LARGE_UNCLEAR), *gaining(200, *LARGE_UNCLEAR)]
    (one,) = gains([summary for summary in summarize(make_sweep(), alone) if summary.sample_count == 50])
    first, *_ = gains(summarize(make_sweep(), among))
    assert one.standing == "clear gain" and first.standing == "unclear"
    low, _ = stats.t.interval(1 - 0.05 / 3, 3, 0.0275, stats.sem(differences))
    assert first.together.low == pytest.approx(low)
    assert verdict(make_sweep(), among).startswith("No clear gain over labels only: at best +15.5 points")


def test_single_runs_have_no_interval_and_come_last() -> None:
    records = [*gaining(50, 0.3), *gaining(100, *CLEAR)]
    found = gains(summarize(make_sweep(), records))
    assert [gain.standing for gain in found] == ["no interval", "clear gain"]
    best = leading(found)
    assert best is not None and best.sample_count == 100
    assert "Without an interval at n=50 (+30.0)." in verdict(make_sweep(), records)
    assert "(one seed, so without an interval)" in verdict(make_sweep(), gaining(50, 0.3))


def test_terminal_page_document_and_mlflow_say_the_same(tmp_path: Path) -> None:
    sweep = make_sweep()
    text = verdict(sweep, RECORDS)
    html = write_report(sweep, RECORDS, tmp_path).read_text()
    document = json.loads((tmp_path / "report.json").read_text())
    assert text in html and document["verdict"] == text
    assert findings(sweep, RECORDS).verdict.replace("\\", "") == text
    assert text in " ".join(shown(leaderboard(sweep, RECORDS), width=1000).split())
    assert [count["gain_standing"] for count in document["counts"]] == ["unclear", "clear gain", "clear loss"]
    assert [found["is_better"] for found in document["recommended"]] == [False, True, False]
