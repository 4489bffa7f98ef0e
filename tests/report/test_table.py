from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.report.table import csv
from kdsearch.report.table import parquet
from kdsearch.report.table import trials_frame
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep


def both(records: Sequence[TrialRecord]) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = trials_frame(make_sweep(), records)
    return pd.read_csv(io.StringIO(csv(frame))), pd.read_parquet(io.BytesIO(parquet(frame)))


def test_no_trials_make_an_empty_table_with_columns() -> None:
    for table in both([]):
        assert len(table) == 0 and "trial" in table.columns


def test_columns_that_some_trials_lack_keep_their_type() -> None:
    records = [
        make_record(0, value=0.5, recipe=Recipe("kl", 0.5, {"temperature": 2.0, "standardize": True})),
        make_record(
            1, state=TrialState.FAIL, reason=Reason.USER_CODE, error='Traceback,\n"quoted"', recipe=Recipe("mse", 1.0)
        ),
        make_control(number=2),
        make_record(3, state=TrialState.WAITING),
    ]
    for table in both(records):
        assert list(table.state) == ["COMPLETE", "FAIL", "COMPLETE", "WAITING"]
        assert table.temperature[0] == 2.0 and pd.isna(table.temperature[1])
        assert bool(table.standardize[0]) and pd.isna(table.standardize[1])
        assert table.error[1] == 'Traceback,\n"quoted"' and table.reason[1] == "user_code"
        assert table.seconds[0] == 30 and pd.isna(table.seconds[3])
        assert list(table.attempts) == [1, 1, 1, 0]


def test_a_parameter_of_several_types_is_text() -> None:
    records = [make_record(0, value=0.5), make_record(1, value=0.5), make_record(2, value=0.5)]
    odd: list[Any] = ["text", 1.5]
    mixed = [records[0], *(replace(r, metrics={"odd": value}) for r, value in zip(records[1:], odd, strict=True))]
    assert list(trials_frame(make_sweep(), mixed).odd.dropna()) == ["text", "1.5"]


def test_seeds_keep_all_their_digits() -> None:
    (_, table) = both([make_record(value=0.5, seed=2**63 + 1)])
    assert table.seed[0] == str(2**63 + 1)


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-2", "@SUM(A1)", "\t=1"])
def test_formulas_are_text_in_a_spreadsheet_and_left_alone_in_parquet(text: str) -> None:
    table, exact = both([make_control(text)])
    assert table.control[0] == f"'{text}"
    assert exact.control[0] == text
