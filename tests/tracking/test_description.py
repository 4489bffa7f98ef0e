from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.tracking.dataset import dataset_input
from kdsearch.tracking.description import LIMIT
from kdsearch.tracking.description import describe
from kdsearch.tracking.findings import Findings
from kdsearch.tracking.findings import findings
from kdsearch.tracking.markdown import escape
from kdsearch.tracking.markdown import table
from kdsearch.tracking.views import sweep_views
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep

HOSTILE = "a|b](javascript:x) <img src=x onerror=alert(1)> ![i](http://evil/i.png) `c` **d** _e_ # \n- f &lt; \\"
MARKUP = set('|[]<>!`*_#\\&"/:@~^{}')


@pytest.mark.parametrize(
    "text", [HOSTILE, "http://evil.example/x", "a@b.c", "~~x~~", "$x$", "\r\n1. x", "www.evil.example", "a:b"]
)
def test_no_markup_begins_in_a_name(text: str) -> None:
    escaped = escape(text)
    kept = re.sub(r"&#\d+;", "", escaped)
    assert not MARKUP & set(kept) and "://" not in kept and "www." not in kept
    assert html.unescape(escaped) == "".join(" " if char.isspace() else char for char in text)


def test_a_cell_cannot_leave_its_table() -> None:
    lines = table(["n", "recipe"], [["50", HOSTILE], ["100", "a\nb"]]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {3}


def test_a_hostile_teacher_is_only_text(tmp_path: Path) -> None:
    sweep = make_sweep()
    recipe = Recipe("kl", 0.8, {"temperature": 4.0}, teacher=HOSTILE)
    records = [make_control(val_accuracy=0.5), make_record(0, recipe=recipe, value=0.7)]
    text = describe(findings(sweep, records), "1", "run", sweep_views(sweep, "val_accuracy", [100]), tmp_path)
    assert "<img" not in text and "](javascript" not in text and "evil/" not in text
    assert "onerror" in text, "it is told, as text"


def test_a_description_fits_into_a_tag_and_keeps_what_leads_on(tmp_path: Path) -> None:
    sweep = make_sweep()
    counts = [10 * number for number in range(1, 500)]
    long = table(["n", "x"], [[str(count), "y" * 30] for count in counts])
    text = describe(Findings("Good.", long), "1", "run", sweep_views(sweep, "val_accuracy", counts), tmp_path)
    assert len(text) <= LIMIT
    assert text.startswith("Good.") and "n=120" in text
    assert text.endswith("|"), "rows are left out whole"


def test_the_table_says_what_the_report_says() -> None:
    sweep = make_sweep()
    labels, best = make_control(val_accuracy=0.6), make_record(1, value=0.7)
    records = [
        labels,
        best,
        *make_confirmations(labels.key, [0.5, 0.6], [0.5, 0.6], control="labels", recipe=labels.recipe),
        *make_confirmations(best.key, [0.7, 0.8], [0.7, 0.8], first_number=2),
    ]
    found = findings(sweep, records)
    row = next(line for line in found.table.splitlines() if line.startswith("| 100 "))
    assert "| 55.0 ± 63.5 |" in row and "| kl T=4.2 a=0.80 |" in row and "| 75.0 ± 63.5 |" in row
    assert "| +20.0 ± 0.0 |" in row
    best_file = {entry["sample_count"]: entry for entry in json.loads(found.files["best.json"])}
    assert best_file[100]["distilled"]["mean"] == pytest.approx(0.75)
    assert best_file[100]["distilled"]["params"] == best.recipe.flat()
    assert best_file[50]["distilled"] is None


def test_the_table_of_trials_has_every_trial_the_best_of_each_count_first() -> None:
    records = [
        make_record(0, value=0.5),
        make_record(1, value=0.7),
        make_record(2, state=TrialState.PRUNED),
        make_record(3, sample_count=50, value=0.4),
    ]
    written = json.loads(findings(make_sweep(), records).files["trials_table.json"])
    rows = [dict(zip(written["columns"], row, strict=True)) for row in written["data"]]
    assert [row["trial"].rpartition("#")[2] for row in rows] == ["3", "1", "0", "2"]
    assert rows[0]["val_accuracy"] == 0.4 and rows[-1]["val_accuracy"] is None


def test_equal_samples_have_equal_digests() -> None:
    config = {"dataset": {"name": "digits", "validation_count": 300, "root": "/here"}}
    elsewhere = {"dataset": {**config["dataset"], "root": "/there"}}
    record = make_record(0)
    used = dataset_input(record, config)
    assert used.name == "digits-n100"
    assert dataset_input(make_record(1), config) == dataset_input(record, elsewhere) == used
    others = [
        dataset_input(make_record(0, subset_seed=8), config),
        dataset_input(make_record(0, sample_count=50), config),
        dataset_input(make_record(0, recipe=Recipe("kl", 0.8, subset="easy")), config),
        dataset_input(record, {"dataset": {**config["dataset"], "validation_count": 200}}),
    ]
    assert len({used.digest, *(other.digest for other in others)}) == 5
