"""The end of an attempt whose trials are all done, so that it needs no cluster."""

from __future__ import annotations

import io
import signal
from pathlib import Path

import pytest
from rich.console import Console

from kdsearch.config.compose import Composed
from kdsearch.config.compose import compose_sweep
from kdsearch.errors import ExitCode
from kdsearch.errors import InputError
from kdsearch.ledger import SweepRecord
from kdsearch.ledger import SweepState
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import open_ledger
from kdsearch.search import driver
from kdsearch.search.plan import planned_target
from kdsearch.tracking import verify
from tests.search.simulation import run_to_end

SMALL = ("name=sim", "sample_counts=[20]", "trials_per_count=2", "controls=[labels]", "confirm.top_k=0")


def make_sweep(folder: Path, *overrides: str) -> Composed:
    """A sweep whose trials have all ended when its driver died."""
    composed = compose_sweep([*SMALL, f"storage={folder}/data", *overrides])
    ledger = open_ledger(composed.config.ledger, create=True)
    ledger.create_sweep("sim", composed.stored, planned_target(composed.config))
    run_to_end(ledger, composed.config)
    ledger.close()
    return composed


def run(composed: Composed, output: io.StringIO | None = None) -> tuple[ExitCode, str]:
    console = Console(file=output or io.StringIO(), width=200, record=True)
    return driver.run(composed, console=console), console.export_text()


def read(composed: Composed) -> tuple[SweepRecord, list[TrialRecord]]:
    ledger = open_ledger(composed.config.ledger)
    sweep, records = ledger.sweep("sim"), ledger.trials("sim")
    ledger.close()
    assert sweep is not None
    return sweep, records


def break_mlflow(composed: Composed) -> Path:
    """A folder stands where MLflow's database should be."""
    folder = Path(str(composed.config.mlflow.tracking_uri).removeprefix("sqlite:///"))
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_mlflow_away_at_the_end_is_waited_for_and_ends_the_attempt_resumable(tmp_path: Path) -> None:
    composed = make_sweep(tmp_path, "mlflow.patience=0.5")
    away = break_mlflow(composed)
    code, shown = run(composed)
    sweep, records = read(composed)
    assert code is ExitCode.TOO_MANY_FAILURES
    assert "waiting for MLflow, which may be away for 0.5 s" in shown
    keys = "sim/controls/n=20#0, sim/n=20#0, sim/n=20#1"
    assert f"MLflow does not have the runs of 3 trials ({keys}) and the sweep's own run" in shown
    assert sweep.state is SweepState.STOPPED
    assert (
        sweep.attempts[-1].outcome is not None and "not in MLflow: the runs of 3 trials" in sweep.attempts[-1].outcome
    )
    assert (tmp_path / "data" / "sweeps" / "sim" / "report" / "report.html").is_file()

    away.rmdir()
    code, _ = run(composed)
    sweep, records = read(composed)
    assert (code, sweep.state, sweep.attempts[-1].outcome) == (ExitCode.DONE, SweepState.COMPLETE, "complete")
    found = verify(str(composed.config.mlflow.tracking_uri), sweep, records)
    assert found == {"runs": 3, "missing": 0, "duplicate": 0, "open": 0, "status": 0, "unknown": 0}


def test_a_config_that_another_driver_has_stored_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two are started in the same instant, and there was no sweep when either looked."""
    make_sweep(tmp_path)
    other = compose_sweep([*SMALL, f"storage={tmp_path}/data", "seed=7"])
    monkeypatch.setattr(driver, "check_stored", lambda composed, *, extend: None)
    before, _ = read(other)
    with pytest.raises(InputError, match="seed=7"):
        run(other)
    sweep, _ = read(other)
    assert (sweep.state, sweep.config) == (before.state, before.config)
    assert sweep.attempts[-1].outcome == "refused: its configuration disagrees"


class Impatient(io.StringIO):
    """Whoever reads this sends SIGTERM when it comes to waiting."""

    def write(self, text: str) -> int:
        if "waiting for MLflow" in text:
            signal.raise_signal(signal.SIGTERM)
        return super().write(text)


@pytest.mark.slow
def test_whoever_interrupts_does_not_wait_for_mlflow(tmp_path: Path) -> None:
    composed = make_sweep(tmp_path, "mlflow.patience=600")
    break_mlflow(composed)
    code, _ = run(composed, Impatient())
    sweep, _ = read(composed)
    assert code is ExitCode.TERMINATED
    assert (sweep.state, sweep.attempts[-1].outcome) == (SweepState.STOPPED, "interrupted by SIGTERM")
