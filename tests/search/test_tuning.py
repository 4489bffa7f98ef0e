"""What Ray Tune hands over that is not as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial

from kdsearch.search.pack import encode_message
from kdsearch.search.tuning import LedgerScheduler
from tests.search.simulation import make_config
from tests.search.simulation import make_ledger
from tests.search.simulation import open_attempt
from tests.search.simulation import train


def test_what_a_lost_worker_still_reports_counts_no_more(tmp_path: Path) -> None:
    config = make_config()
    ledger = make_ledger(tmp_path, config)
    attempt = open_attempt(ledger, config, 1)
    first = attempt.next_pack()
    assert first is not None
    key = first.slots[0].key
    attempt.lose(key, "node died", blame=False)
    second = attempt.next_pack()
    assert second is not None and second.slots[0].key == key
    nothing: Any = None
    scheduler = LedgerScheduler(attempt, {"successor": second}, nothing)
    report = {"message": encode_message([train(attempt, first.slots[0])])}
    scheduler.on_trial_result(nothing, Trial("pack", trial_id="lost", stub=True), report)
    assert not any(record.state.is_finished for record in ledger.trials("sim"))
    scheduler.on_trial_result(nothing, Trial("pack", trial_id="successor", stub=True), report)
    assert [record.key for record in ledger.trials("sim") if record.state.is_finished] == [key]
