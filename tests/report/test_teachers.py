"""Labels are those of the recipe's own teacher, and teachers stand side by side."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.recipe import Recipe
from kdsearch.report import leaderboard
from kdsearch.report.effort import effort
from kdsearch.report.labels_used import labels_used
from kdsearch.report.results import Results
from kdsearch.report.teachers import OWN
from kdsearch.report.teachers import teacher_rows
from kdsearch.report.write import write_report
from kdsearch.tracking.findings import findings
from tests.factories import LABELS
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep
from tests.report.test_summary import shown

FEW = Recipe("kl", 1.0, {"temperature": 4.0}, teacher="few")
WHOLE = Recipe("kl", 1.0, {"temperature": 4.0})
WIDE = Recipe("kl", 1.0, {"temperature": 4.0}, student="wide")


def facts(key: str, labels: int, accuracy: float) -> dict[str, Any]:
    measures = {"val_accuracy": accuracy, "val_nll": 0.3, "val_brier": 0.1, "val_ece": 0.025}
    return {"hash": key, "name": key, "sample_count": labels, "parameter_count": 84_000, **measures}


def sweep(**fields: Any) -> SweepRecord:
    others = {"few": facts("bb", 100, 0.88), "twin": facts("aa", 1000, 0.97)}
    return make_sweep(config={"sample_counts": [50]}, teacher=facts("aa", 1000, 0.97) | {"teachers": others}, **fields)


RECORDS: list[TrialRecord] = [
    make_record(0, sample_count=50, value=0.75, recipe=FEW),
    make_control(sample_count=50, val_accuracy=0.6),
    make_control("kl", 50, 0.7, number=1, recipe=WHOLE),
    make_control("kl student=wide", 50, 0.9, number=2, recipe=WIDE),
    *make_confirmations("sweep/n=50#0", [0.7, 0.72], [0.75, 0.75], 50, FEW),
    *make_confirmations("c#0", [0.6, 0.6], [0.6, 0.6], 50, LABELS, "labels", 20),
    *make_confirmations("c#1", [0.65, 0.65], [0.7, 0.7], 50, WHOLE, "kl", 40),
    *make_confirmations("c#2", [0.95, 0.95], [0.9, 0.9], 50, WIDE, "kl student=wide", 60),
]


@pytest.mark.parametrize(
    ("recipe", "teacher"),
    [
        (FEW, 100),
        (WHOLE, 1000),
        (LABELS, 0),
        (Recipe("kl", 0.0), 0),
        (Recipe("kl", 1.0, signal="smoothed"), 0),
        (Recipe("kl", 1.0, signal="shuffled"), 1000),
        (Recipe("kl", 1.0, teacher="gone"), None),
    ],
)
def test_the_labels_are_those_of_the_recipes_own_teacher(recipe: Recipe, teacher: int | None) -> None:
    used = labels_used(sweep(), recipe, 50)
    assert (used.student, used.validation, used.teacher) == (50, 300, teacher)


def test_every_report_tells_them_beside_the_gain(tmp_path: Path) -> None:
    html = write_report(sweep(), RECORDS, tmp_path).read_text()
    document = json.loads((tmp_path / "report.json").read_text())
    assert "<td>50 + 300 + 100</td>" in html
    assert document["counts"][0]["labels_used"] == {"student": 50, "validation": 300, "teacher": 100}
    assert "labels used: n + 300 + 100 (student + validation + teacher)\n" in shown(leaderboard(sweep(), RECORDS))
    assert "50 + 300 + 100" in findings(sweep(), RECORDS).table.replace("\\", "")
    table = pd.read_csv(tmp_path / "trials.csv").set_index("trial")
    assert list(table.teacher_labels[:4]) == [100, 0, 1000, 1000]
    assert set(table.validation_labels) == {300}


def test_a_line_tells_them_of_each_sample_count_where_they_differ() -> None:
    records = [*RECORDS, make_record(1, sample_count=100, value=0.9, recipe=WHOLE), make_control(sample_count=100)]
    line = "labels used (student + validation + teacher): n + 300 + 100 at n=50; n + 300 + 1,000 at n=100\n"
    config = {"sample_counts": [50, 100]}
    text = shown(leaderboard(dataclasses.replace(sweep(), config=dict(sweep().config) | config), records))
    assert line in text


def test_teachers_stand_side_by_side_each_once() -> None:
    own, few = teacher_rows(Results.of(sweep(), RECORDS))
    assert (own.name, own.also, own.labels) == (OWN, ["twin"], 1000)
    assert (few.name, few.also, few.labels, few.measures["val_ece"]) == ("few", [], 100, 0.025)
    assert own.gains[50].mean == pytest.approx(0.05)  # not that of the wide student, which another baseline belongs to
    assert few.gains[50].mean == pytest.approx(0.11) and few.gains[50].seeds == 2


def test_the_page_has_their_table(tmp_path: Path) -> None:
    html = write_report(sweep(), RECORDS, tmp_path).read_text()
    assert "Teachers side by side" in html and "gain at n=50" in html and "(twin)" in html
    alone = write_report(make_sweep(), RECORDS, tmp_path / "alone").read_text()
    assert "Teachers side by side" not in alone


def test_teachers_before_the_confirmation_have_gains_without_intervals() -> None:
    own, few = teacher_rows(Results.of(sweep(), RECORDS[:4]))
    assert own.gains[50].mean == pytest.approx(0.1) and few.gains[50].mean == pytest.approx(0.15)
    assert own.gains[50].ci95 is None


def test_what_the_sweep_took(tmp_path: Path) -> None:
    """Each of the records took 30 seconds."""
    seconds = 30 * len(RECORDS)
    on_gpu = make_sweep(config={"resources": {"gpus_per_trial": 0.5}})
    found = effort(on_gpu, RECORDS)
    assert (found.worker_seconds, found.gpu_seconds, found.is_bound) == (seconds, seconds / 2, False)
    packed = sweep(attempts=())
    packed = make_sweep(teacher=dict(packed.teacher) | {"packs": {"student": 16}})
    assert effort(packed, RECORDS).is_bound and effort(packed, RECORDS).gpu_seconds == 0
    html = write_report(packed, RECORDS, tmp_path).read_text()
    assert f"≤ {seconds / 3600:.2f}" in html and "a sweep is told no price" in html
