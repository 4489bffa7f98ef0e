"""A teacher in the loop, in real sweeps: it teaches what its cached answers teach, and no checkpoint holds it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch

from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialState
from tests.distiller.teachers import tensors
from tests.e2e.harness import Workplace
from tests.e2e.harness import done

# Its recipes and seeds follow from the sweep's seed and the trial's number alone, whatever ended before.
RANDOM = (
    "sampler=random",
    "sample_counts=[50]",
    "trials_per_count=8",
    "controls=[labels,shuffled_teacher,random_head]",
    "confirm.top_k=0",
    "training.steps=300",
    "resources.max_concurrent=2",
)
ENSEMBLE = ("teacher.seeds=2", "teacher.weighting=unikd", "dataset.unlabelled_count=30")
ONLINE = "training.augmentation.mode=online"


def by_key(records: tuple[TrialRecord, ...]) -> dict[str, TrialRecord]:
    return {record.key: record for record in records}


@pytest.mark.parametrize(
    "teacher",
    [
        pytest.param((), marks=pytest.mark.slow, id="one"),
        pytest.param(ENSEMBLE, marks=pytest.mark.long, id="ensemble"),
    ],
)
def test_cached_and_online_sweeps_agree(tmp_path: Path, ray_address: str, teacher: tuple[str, ...]) -> None:
    """Two workers each; the online sweep is killed once and taken up again."""
    found = {}
    for mode in ("cached", "online"):
        folder = tmp_path / mode
        folder.mkdir()
        workplace = Workplace(folder, ray_address)
        words = (*RANDOM, *teacher, *([ONLINE] if mode == "online" else []))
        if mode == "online":
            driver = workplace.start_sweep(*words)
            workplace.wait_for(done(3))
            driver.kill()
            driver.communicate()
            assert workplace.load().state == "interrupted"
        workplace.sweep(*words)
        found[mode] = by_key(workplace.load().records)
    cached, online = found["cached"], found["online"]
    assert set(cached) == set(online) and len(cached) == 8 + 3
    assert {attempt for record in online.values() for attempt in record.attempts} == {1, 2}
    for key, record in cached.items():
        other = online[key]
        assert record.state is other.state is TrialState.COMPLETE
        assert other.recipe == record.recipe and other.seed == record.seed
        assert set(other.metrics) == set(record.metrics)
        for name, value in record.metrics.items():
            assert other.metrics[name] == pytest.approx(value, rel=1e-5, abs=1e-5), (key, name)
    values = {record.metrics["val_nll"] for record in cached.values()}
    assert len(values) == len(cached)


@pytest.mark.slow
def test_a_checkpoint_file_holds_the_student_alone(workplace: Workplace) -> None:
    """One that an interrupted sweep wrote, by an online teacher with twice the student's width."""
    quick = ("sample_counts=[50]", "trials_per_count=1", "controls=[]", "confirm.top_k=0", "pruner=median")
    words = (*quick, ONLINE, "training.steps=40000", "training.evaluations=200", "teacher.seeds=2")
    driver = workplace.start_sweep(*words)
    workplace.wait_for(lambda records: any(record.state is TrialState.RUNNING for record in records))
    workplace.wait_for(lambda records: bool(workplace.load().studies[50].trials[0].intermediate_values))
    driver.send_signal(signal.SIGTERM)
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode == 143, output
    data = workplace.folder / "kdsearch-data"
    # The newest: on a slow machine there is one of a minute before, too.
    *_, path = sorted((data / "sweeps" / "digits" / "checkpoints").rglob("*.pt"))
    state = torch.load(path, weights_only=True)
    (replicate,) = state["replicates"]
    assert replicate["step"] > 0
    shapes = {name: list(tensor.shape) for name, tensor in replicate["model"].items()}
    assert shapes == {
        "stage1.0.weight": [8, 64],
        "stage1.0.bias": [8],
        "head.weight": [10, 8],
        "head.bias": [10],
    }
    student = sum(tensor.numel() for tensor in replicate["model"].values())
    momentum = sum(tensor.numel() for tensor in tensors(replicate["optimizer"]))
    assert momentum == student == 8 * 64 + 8 + 10 * 8 + 10
    random_state = torch.get_rng_state().numel()
    assert sum(tensor.numel() for tensor in tensors(state)) == 2 * student + random_state
    assert len(list((data / "teachers").iterdir())) == 2
