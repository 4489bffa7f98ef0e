"""The numbers of report.json, recomputed from the ledger's rows alone: from a table of them, in other ways."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.write import write_report
from tests.report.samples import COUNTS
from tests.report.samples import sample_records
from tests.report.samples import sample_sweep


@pytest.fixture(scope="module")
def records() -> list[TrialRecord]:
    return sample_records()


@pytest.fixture(scope="module")
def sweep() -> SweepRecord:
    return sample_sweep()


@pytest.fixture(scope="module")
def folder(sweep: SweepRecord, records: list[TrialRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(sweep, records, tmp_path_factory.mktemp("report")).parent


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


@pytest.fixture(scope="module")
def rows(records: list[TrialRecord]) -> pd.DataFrame:
    """Made here of the records' own fields, not by the report's table."""
    return pd.DataFrame(
        [
            {
                "key": r.key,
                "kind": r.kind.value,
                "n": r.sample_count,
                "control": r.control,
                "confirms": r.confirms,
                "replicate": r.replicate,
                "objective": r.recipe.objective,
                "value": r.value,
                "seconds": (r.ended - r.started).total_seconds() if r.ended and r.started else None,
                **r.metrics,
            }
            for r in records
        ]
    )


def t_interval(values: pd.Series) -> tuple[float, float]:
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return values.mean(), (high - low) / 2


def confirmed(rows: pd.DataFrame, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The confirmations of the distilled recipe that is best on validation, and of labels only; by replicate."""
    of_count = rows[(rows.kind == "confirm") & (rows.n == n)]
    distilled = of_count[of_count.control.isna()]
    best = distilled.groupby("confirms").val_accuracy.mean().idxmax()
    chosen = distilled[distilled.confirms == best], of_count[of_count.control == "labels"]
    return tuple(part.set_index("replicate").sort_index() for part in chosen)


def is_estimate(found: dict[str, Any], values: pd.Series) -> bool:
    mean, half = t_interval(values)
    return found == {"mean": pytest.approx(mean), "ci95": pytest.approx(half, rel=1e-6), "seeds": len(values)}


@pytest.mark.parametrize("place", range(len(COUNTS)))
def test_accuracies_gains_and_controls(place: int, document: dict[str, Any], rows: pd.DataFrame) -> None:
    count, n = document["counts"][place], COUNTS[place]
    distilled, labels = confirmed(rows, n)
    assert count["sample_count"] == n and count["evaluated_on"] == "test"
    assert is_estimate(count["labels"], labels.test_accuracy)
    assert is_estimate({k: count["distilled"][k] for k in ("mean", "ci95", "seeds")}, distilled.test_accuracy)
    mean, half = t_interval(distilled.test_accuracy - labels.test_accuracy)
    assert (count["gain"], count["gain_ci95"]) == (pytest.approx(mean), pytest.approx(half))
    smoothing = rows[(rows.kind == "confirm") & (rows.n == n) & (rows.control == "label_smoothing")]
    assert is_estimate(count["controls"]["label_smoothing"], smoothing.test_accuracy)
    for who, part in (("distilled", distilled), ("labels", labels)):
        for metric in ("test_nll", "test_ece", "val_agreement", "val_hellinger"):
            assert is_estimate(count["metrics"][who][metric], part[metric])
    searched = rows[(rows.kind == "search") & (rows.n == n)]
    assert count["search"]["val_accuracy"] == searched.val_accuracy.max()
    assert count["search"]["trials"]["COMPLETE"] == len(searched)


def needed_labels(counts: list[int], curve: list[float], accuracy: float) -> float | None:
    """By bisection on the piecewise-linear interpolation in log n of the smallest non-decreasing least-squares fit."""
    fit = _pool(curve)
    if accuracy <= fit[0] + 1e-12:
        return counts[0]
    if accuracy > fit[-1] + 1e-12:
        return None
    low, high = np.log(counts[0]), np.log(counts[-1])
    for _ in range(60):
        middle = (low + high) / 2
        reached = float(np.interp(middle, np.log(counts), fit)) >= accuracy - 1e-12
        low, high = (low, middle) if reached else (middle, high)
    return float(np.exp(high))


def _pool(curve: list[float]) -> list[float]:
    """Isotonic regression as the max-min of all averages (Barlow and Brunk), by its definition."""
    k = len(curve)
    return [max(min(float(np.mean(curve[a : b + 1])) for b in range(i, k)) for a in range(i + 1)) for i in range(k)]


def test_data_efficiency_and_its_bootstrap(document: dict[str, Any], rows: pd.DataFrame) -> None:
    parts = {n: confirmed(rows, n) for n in COUNTS}
    counts = list(COUNTS)
    curve = [parts[n][1].test_accuracy.mean() for n in counts]
    resamples = [list(chosen) for chosen in itertools.product(range(4), repeat=4)]  # all there are
    for count in document["counts"]:
        n = count["sample_count"]
        needed = needed_labels(counts, curve, parts[n][0].test_accuracy.mean())
        if needed is None:
            assert count["data_efficiency"] is None
            assert count["data_efficiency_at_least"] == counts[-1] / n
        else:
            assert count["data_efficiency"] == pytest.approx(needed / n, rel=1e-6)
        draws = []
        for chosen in resamples:
            drawn_curve = [parts[m][1].test_accuracy.iloc[chosen].mean() for m in counts]
            found = needed_labels(counts, drawn_curve, parts[n][0].test_accuracy.iloc[chosen].mean())
            draws.append(np.inf if found is None else found / n)
        for end, share in zip(count["data_efficiency_ci95"] or (None, None), (0.025, 0.975), strict=True):
            expected = np.quantile(draws, share, method="inverted_cdf")
            assert (np.inf if end is None else end) == pytest.approx(expected, rel=0.05)


def test_the_winners_curse(document: dict[str, Any], rows: pd.DataFrame) -> None:
    for curse, n in zip(document["winners_curse"], COUNTS, strict=True):
        searched = rows[(rows.kind == "search") & (rows.n == n)]
        winner = searched.loc[searched.value.idxmax()]
        again = rows[rows.confirms == winner.key]
        distilled, labels = confirmed(rows, n)
        assert curse["trial"] == winner.key and curse["searched"] == winner.val_accuracy
        assert is_estimate(curse["validation"], again.val_accuracy)
        assert is_estimate(curse["test"], again.test_accuracy)
        assert is_estimate(curse["drop"], winner.val_accuracy - again.val_accuracy)
        paired = again.set_index("replicate").test_accuracy - labels.test_accuracy
        assert is_estimate(curse["gain"], paired)
        assert curse["is_recommended"] == (distilled.confirms.iloc[0] == winner.key)
        control = rows[(rows.kind == "control") & (rows.n == n) & (rows.control == "labels")]
        assert curse["searched_gain"] == pytest.approx(winner.val_accuracy - control.val_accuracy.iloc[0])


def test_objectives(document: dict[str, Any], rows: pd.DataFrame) -> None:
    searched = rows[rows.kind == "search"]
    assert len(document["objectives"]) == 2 * len(COUNTS)
    for found in document["objectives"]:
        part = searched[(searched.n == found["sample_count"]) & (searched.objective == found["objective"])]
        assert found["trials"] == len(part)
        assert found["best"] == part.val_accuracy.max()
        assert found["median"] == pytest.approx(part.val_accuracy.median())
        again = rows[rows.confirms == part.loc[part.value.idxmax()].key]
        assert is_estimate(found["confirmed"], again.test_accuracy) if len(again) else found["confirmed"] is None


def test_effort(document: dict[str, Any], rows: pd.DataFrame, records: list[TrialRecord]) -> None:
    assert document["effort"]["seconds"] == 6 * 60
    for kind, spent in document["effort"]["spent"].items():
        part = rows[rows.kind == kind]
        assert spent["trials"] == len(part)
        assert spent["total"] == pytest.approx(part.seconds.sum())
        assert spent["median"] == pytest.approx(part.seconds.median())
        of_kind = [r for r in records if r.kind.value == kind and r.started and r.ended]
        seconds = {
            second
            for r in of_kind
            if r.started and r.ended
            for second in range(int(r.started.timestamp()), int(r.ended.timestamp()))
        }
        assert spent["at_once"] == pytest.approx(part.seconds.sum() / len(seconds))


def test_the_tables_hold_every_row(folder: Path, rows: pd.DataFrame) -> None:
    for table in (pd.read_csv(folder / "trials.csv"), pd.read_parquet(folder / "trials.parquet")):
        table = table.set_index("trial")
        assert list(table.index) == list(rows.key)
        for column in ("val_accuracy", "test_accuracy", "val_hellinger", "seconds"):
            np.testing.assert_allclose(table[column].to_numpy(dtype=float, na_value=np.nan), rows[column].astype(float))
        assert (table.sample_count.to_numpy() == rows.n.to_numpy()).all()
        assert (table.objective == list(rows.objective)).all()
