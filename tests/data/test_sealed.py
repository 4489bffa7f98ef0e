"""The test split is read by confirmations and by nothing else: by the seal's own account, and by the data's."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest

from kdsearch.data import CONFIRMATION
from kdsearch.data import Split
from kdsearch.data import TestSplit
from kdsearch.data import TestSplitError
from kdsearch.ledger import Kind
from kdsearch.recipe import Recipe
from kdsearch.search.pack import Slot
from tests.e2e.harness import Workplace


def slot(on_test: bool) -> Slot:
    study = "sweep/confirm/n=20" if on_test else "sweep/n=20"
    return Slot(f"{study}#3", study, 3, 20, Recipe("labels", 0.0), 1, 1, 2, 1, judged=not on_test, on_test=on_test)


@pytest.fixture
def sealed() -> TestSplit:
    return TestSplit(Split(np.arange(4), np.ones((4, 2), np.float32), np.zeros(4, np.int64)))


def test_a_confirmation_opens_it_and_is_known(sealed: TestSplit, caplog: pytest.LogCaptureFixture) -> None:
    confirming = slot(on_test=True)
    with caplog.at_level(logging.INFO, "kdsearch.data"):
        for _ in range(2):
            assert len(sealed.open(confirming.purpose, by=confirming.key)) == len(sealed) == 4
    assert sealed.openings == (confirming.key, confirming.key)
    assert [confirming.key in record.getMessage() for record in caplog.records] == [True, True]


def test_a_search_trial_can_not(sealed: TestSplit) -> None:
    searching = slot(on_test=False)
    with pytest.raises(TestSplitError, match="not by sweep/n=20#3 for 'search'"):
        sealed.open(searching.purpose, by=searching.key)
    assert sealed.openings == ()


def test_a_copy_counts_for_itself(sealed: TestSplit) -> None:
    copy = pickle.loads(pickle.dumps(sealed))
    copy.open(CONFIRMATION, by="a")
    assert (copy.openings, sealed.openings) == (("a",), ())


@pytest.mark.slow
def test_no_trial_of_a_sweep_reads_it_before_confirmation(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    data = (
        *("dataset=custom", "dataset.name=traced", "dataset._target_=tests.data.traced.load"),
        *("dataset.validation_count=300", f"dataset.arguments.trace={trace}", "sample_counts=[20]"),
    )
    place = Workplace(tmp_path, "local")
    place.sweep(*data, "confirm.top_k=0", "search.replicates=2")
    searched = place.load("traced").records
    assert {record.kind for record in searched} == {Kind.SEARCH, Kind.CONTROL}
    assert not trace.exists(), "a searched or a control trial, the teacher or the driver has read the test split"
    assert not any(name.startswith("test_") for record in searched for name in record.metrics)

    place.run("resume", "traced", "confirm.top_k=1", "confirm.seeds=2")
    confirmed = [record for record in place.load("traced").records if record.kind is Kind.CONFIRM]
    readings = [json.loads(line) for line in trace.read_text().splitlines()]
    assert len(confirmed) == 8 and 1 <= len(readings) <= len(confirmed)
    assert all(reading["count"] == 450 for reading in readings)
    first = min(record.started.timestamp() for record in confirmed if record.started is not None)
    assert min(reading["time"] for reading in readings) >= first
