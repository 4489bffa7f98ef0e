"""Every contender runs, trains what kdsearch trains, and leaves nothing behind; how fast is not asked here."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.benchmarks.agreement import check_agreement
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.contenders.workload import DIGITS
from tests.benchmarks.contenders.workload import Workload
from tests.benchmarks.contenders.workload import prepare
from tests.benchmarks.measurement import measure

pytestmark = pytest.mark.long
TRIALS = 2
CONTROLS = 3
"""Of each sample count; kdsearch trains them beside the searched trials."""


def small(workload: Workload) -> Workload:
    return dataclasses.replace(
        workload, sample_counts=(50,), overrides=(*workload.overrides, "teacher.training.epochs=1")
    )


@pytest.fixture(scope="module")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("materials")


def material_of(workload: Workload, materials: Path) -> Path:
    folder = materials / workload.name
    if not folder.exists():
        folder.mkdir()
        prepare(workload, folder)
    return folder


@pytest.mark.parametrize("name", CONTENDERS)
def test_a_contender_trains_its_trials(name: str, materials: Path, capfd: pytest.CaptureFixture[str]) -> None:
    workload = small(CONTENDERS[name].workload)
    found = measure(name, 1, TRIALS, workload, material_of(workload, materials))
    assert found.trials == (TRIALS + CONTROLS if "kdsearch" in name else TRIALS)
    assert found.seconds_to_first_result > 0 and found.seconds_after_last_result >= 0
    assert capfd.readouterr().out == "", "standard output is for measurements"


def test_both_ways_of_training_agree(materials: Path) -> None:
    workload = dataclasses.replace(DIGITS, name="agreement", sample_counts=(200,))
    check_agreement(workload, material_of(workload, materials), seeds=3)
