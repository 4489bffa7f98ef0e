from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markupsafe import escape

from kdsearch.ledger.records import AttemptRecord
from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.questions import Answer
from kdsearch.questions import Evidence
from kdsearch.recipe import Recipe
from kdsearch.report.content import Content
from kdsearch.report.document import content_document
from kdsearch.report.figures import Drawing
from kdsearch.report.html import report_html
from kdsearch.report.statistics import Estimate
from kdsearch.report.write import report_files
from kdsearch.report.write import write_report
from tests.factories import LABELS
from tests.factories import START
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep
from tests.report.samples import sample_records
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
    assert "kl T=20 a=1.00" in html
    page = html[: html.index(JAVASCRIPT)]
    assert re.findall(r"""<[^>]*(?:src|href|action|data)=["']?(?!#)[^"'> ]+""", page) == []
    assert "@import" not in page and "url(" not in page and "<link" not in page and "<base" not in page
    specs = re.findall(r'<script type="application/json" id="spec-(\w+)">(.*?)</script>', page)
    assert [name for name, _ in specs] == re.findall(r'data-spec="spec-(\w+)"', page)
    for name, spec in specs:
        assert json.loads(spec)["$schema"].startswith("https://vega.github.io/schema/vega-lite/"), name
    assert len(html) < 1_500_000


JAVASCRIPT = "<script>const"
ATTACKS = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"'`|{{7*7}}${x}",
    "naïve 模型 \u202e",
    "=1+1",
)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    records = [*RECORDS]
    for place, attack in enumerate(ATTACKS):
        failure: dict[str, Any] = {"reason": Reason.USER_CODE, "error": attack, "study": attack}
        records += [make_record(9, state=TrialState.FAIL, **failure), make_record(0, Kind.CONTROL, 50, control=attack)]
        seeds: dict[str, Any] = {"first_number": 70 + 10 * place}
        records += make_confirmations(f"c50#{70 + place}", [0.5, 0.6], [0.5, 0.6], 50, LABELS, attack, **seeds)
        recipe = Recipe("kl", 1.0, {"temperature": 2.0}, teacher=attack)
        records += [make_record(20 + place, sample_count=50, value=0.99, recipe=recipe)]
    everything = " ".join(ATTACKS)
    sweep = make_sweep(
        config={"note": everything, "dataset": {"name": everything, "validation_count": 300}},
        teacher={"val_accuracy": 0.9, "name": everything, "fingerprint": {everything: everything}},
        attempts=(AttemptRecord(1, everything, 1, START, None, None),),
    )
    folder = write_report(sweep, records, tmp_path).parent
    html = (folder / "report.html").read_text()
    page = html[: html.index(JAVASCRIPT)]
    controls = json.loads((folder / "report.json").read_text())["counts"][0]["controls"]
    exact = set(pd.read_parquet(folder / "trials.parquet").control)
    table = pd.read_csv(folder / "trials.csv")
    assert len(table) == len(records)
    assert page.count("<script") == page.count('<script type="application/json" id="spec-')
    for attack in ATTACKS:
        assert str(escape(attack)) in page
        assert "<" not in attack or attack not in page
        assert attack in controls and attack in exact
        assert (f"'{attack}" if attack.startswith("=") else attack) in set(table.control)


def test_each_kind_of_incomplete_sweep_says_what_it_is(tmp_path: Path) -> None:
    """Still running, with one attempt at work."""
    attempts = (AttemptRecord(1, "host", 4242, START, None, None),)
    running = [*RECORDS[:4], make_record(7, sample_count=200, state=TrialState.RUNNING)]
    _, html = written(tmp_path, running, state=SweepState.RUNNING, attempts=attempts)
    assert "Running, 4 of 102 trials done." in html and "at work" in html
    assert "not confirmed on the test split" in html
    assert "t-intervals over seeds (their number" not in html


def test_a_figure_that_fails_does_not_take_the_report_with_it(tmp_path: Path) -> None:
    """There is no cell for an infinite temperature."""
    hot = make_record(1, value=0.6, recipe=Recipe("kl", 0.5, {"temperature": float("inf")}))
    document, html = written(tmp_path, [make_record(value=0.5), hot, make_control()])
    assert "The figure temperature_alpha could not be drawn: OverflowError" in html and "How the sweep ran" in html
    assert document["recommended"][0]["params"]["temperature"] is None


def test_the_papers_questions_are_told_with_their_evidence(tmp_path: Path) -> None:
    evidence = (
        Evidence("gain at the smallest n", 20, Estimate(0.182, 0.033, 8), "points"),
        Evidence("distance <b>", None, Estimate(0.5, None, 1), "nats"),
    )
    answers = (Answer("small-n", "Is it <i>amplified</i>?", "not supported", "It is not.", evidence),)
    content = replace(Content.of(make_sweep(), RECORDS), answers=answers)
    html = report_html(content, Drawing((), {}))
    for words in ("Is it &lt;i&gt;amplified", "not supported", "+18.2 ± 3.3 points", "0.50 nats", "distance &lt;b&gt;"):
        assert words in html
    (question,) = content_document(content)["questions"]
    assert (question["id"], question["verdict"]) == ("small-n", "not supported")
    assert question["evidence"][0]["estimate"] == {"mean": 0.182, "ci95": 0.033, "seeds": 8}


@pytest.mark.parametrize(
    ("records", "fields", "words"),
    [
        ([], {"state": SweepState.RUNNING}, ["No searched trial has finished.", "still running"]),
        (
            [make_record(n, sample_count=n, state=TrialState.FAIL, reason=Reason.NON_FINITE) for n in (50, 100, 200)],
            {"state": SweepState.STOPPED},
            ["Every trial failed (3 non_finite).", "kdsearch resume digits"],
        ),
        (
            confirmed_count(50, [0.6, 0.61], [0.7, 0.71]),
            {"config": {"sample_counts": [50]}},
            ["Distillation gains most at n=50", "n=50 is the only sample count"],
        ),
        (
            RECORDS[:4],
            {"state": SweepState.INTERRUPTED},
            ["not confirmed on the test split", "ended before its target", "Nothing is confirmed on the test split:"],
        ),
        (RECORDS[:14], {}, ["Nothing is confirmed on the test split at n=100:"]),
        (
            [make_record(value=0.7)],
            {"config": {"controls": []}},
            ["its gain is not known", "no labels-only result at n=100"],
        ),
        ([make_record(value=0.7), make_record(1, state=TrialState.RUNNING)], {"teacher": {}, "attempts": ()}, ["70.0"]),
    ],
    ids=["running", "all failed", "one sample count", "interrupted", "one unconfirmed", "no labels control", "bare"],
)
def test_every_sweep_has_a_report_that_says_so(
    tmp_path: Path, records: list[TrialRecord], fields: dict[str, Any], words: list[str]
) -> None:
    document, html = written(tmp_path, records, **fields)
    said = " ".join([document["verdict"], *document["remarks"]])
    for text in words:
        assert text in html and (text in said or text == "70.0")
    assert "The figure " not in html
    assert document["state"] == fields.get("state", SweepState.COMPLETE).value
    assert {count["sample_count"] for count in document["counts"]} == set(make_sweep(**fields).config["sample_counts"])


def test_a_whole_sweep_leaves_nothing_to_remark(tmp_path: Path) -> None:
    document, _ = written(tmp_path, RECORDS)
    assert document["remarks"] == []


def test_a_report_is_replaced_as_a_whole(tmp_path: Path) -> None:
    written(tmp_path, sample_records())
    folder = tmp_path / "report"
    assert (folder / "plots" / "importance.png").is_file()
    (folder / "plots" / "embedding.png").write_bytes(b"somebody else's")
    html = write_report(make_sweep(), RECORDS, folder)
    names = [file.relative_to(folder).as_posix() for file in report_files(folder)]
    plots = {
        f"plots/{name}.png"
        for name in (
            "data_efficiency",
            "labels_saved",
            "temperature_alpha",
            "best_so_far",
            "pareto_samples",
            "embedding",
        )
    }
    assert names[0] == "report.html"
    assert set(names) == {"report.html", "report.json", "trials.csv", "trials.parquet"} | plots
    assert base64.b64encode(b"somebody else's").decode() in html.read_text()


def test_ten_thousand_trials_stay_a_small_page(tmp_path: Path) -> None:
    document, html = written(tmp_path, sample_records((50, 100, 200), trials=3333))
    assert document["trials"]["search"]["COMPLETE"] == 9999
    assert len(html) < 3_000_000
    assert "Shown are 1,500 of 9,999 trials." in html
