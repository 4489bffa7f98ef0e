from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.report.write import write_report
from tests.factories import make_record
from tests.factories import make_sweep
from tests.report.test_summary import RECORDS
from tests.report.test_summary import confirmed_count


def written(tmp_path: Path, records: list[TrialRecord], **fields: Any) -> tuple[dict[str, Any], str]:
    html = write_report(make_sweep(**fields), records, tmp_path / "report")
    return json.loads(html.with_name("report.json").read_text()), html.read_text()


def test_report_json_keeps_its_contract(tmp_path: Path) -> None:
    document, _ = written(tmp_path, RECORDS)
    first = document["counts"][0]
    assert first["sample_count"] == 50
    assert first["labels"] == {"mean": pytest.approx(0.61), "ci95": pytest.approx(12.706205 * 0.01), "seeds": 2}
    assert first["distilled"]["params"] == {"objective": "kl", "alpha": 1.0, "temperature": 20.0}
    assert first["gain"] == pytest.approx(first["distilled"]["mean"] - first["labels"]["mean"])
    assert first["gain_ci95"] == pytest.approx(12.706205 * 0.01)
    assert first["data_efficiency"] == pytest.approx(2.0)
    assert first["controls"]["kl_t1"]["seeds"] == 2
    last = document["counts"][-1]
    assert last["data_efficiency"] is None and "does not reach" in last["data_efficiency_reason"]
    assert document["teacher"]["val_accuracy"] == 0.97
    assert document["evaluated_on"] == "test"
    assert document["labels_used"] == {"validation": 300, "teacher": 1000}
    assert document["confirmation_rounds"] == 1
    assert document["trials"]["search"]["COMPLETE"] == 6


def test_report_html_is_one_file_that_needs_no_network(tmp_path: Path) -> None:
    document, html = written(tmp_path, RECORDS)
    assert document["verdict"] in html
    assert "<svg" in html and "kl T=20 a=1.00" in html
    outside = [url for url in re.findall(r"""(?:src|href)=["']?([^"'> ]+)""", html) if not url.startswith("#")]
    assert outside == []
    assert "@import" not in html and "url(http" not in html


def test_names_and_errors_are_escaped(tmp_path: Path) -> None:
    attack = "<script>alert(1)</script>"
    records = [*RECORDS, make_record(9, state=TrialState.FAIL, reason=Reason.USER_CODE, error=attack, study=attack)]
    records.append(make_record(0, Kind.CONTROL, 50, control=attack))
    _, html = written(tmp_path, records, config={"note": attack}, teacher={"val_accuracy": 0.9, "name": attack})
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html


@pytest.mark.parametrize(
    ("records", "fields", "words"),
    [
        ([], {"state": SweepState.RUNNING}, "No searched trial has finished."),
        (
            [make_record(n, sample_count=n, state=TrialState.FAIL, reason=Reason.NON_FINITE) for n in (50, 100, 200)],
            {},
            "Every trial failed (3 non_finite).",
        ),
        (
            confirmed_count(50, [0.6, 0.61], [0.7, 0.71]),
            {"config": {"sample_counts": [50]}},
            "Distillation gains most at n=50",
        ),
        (RECORDS[:4], {"state": SweepState.INTERRUPTED}, "not confirmed on the test split"),
        ([make_record(value=0.7)], {"config": {"controls": []}}, "its gain is not known"),
        ([make_record(value=0.7), make_record(1, state=TrialState.RUNNING)], {"teacher": {}, "attempts": ()}, "70.0"),
    ],
    ids=["running", "all failed", "one sample count", "interrupted", "no labels control", "bare"],
)
def test_every_sweep_has_a_report_that_says_so(
    tmp_path: Path, records: list[TrialRecord], fields: dict[str, Any], words: str
) -> None:
    document, html = written(tmp_path, records, **fields)
    assert words in html
    assert document["state"] == fields.get("state", SweepState.COMPLETE).value
    assert {count["sample_count"] for count in document["counts"]} == set(make_sweep(**fields).config["sample_counts"])


def test_a_report_is_replaced_as_a_whole(tmp_path: Path) -> None:
    written(tmp_path, RECORDS)
    written(tmp_path, RECORDS)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["report.html", "report.json"]
