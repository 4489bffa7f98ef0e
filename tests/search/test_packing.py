"""Which trials go out together."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import SweepConfig
from kdsearch.data import DatasetInfo
from kdsearch.data import describe
from kdsearch.ledger import Ledger
from kdsearch.ledger import TrialState
from kdsearch.models import model_cost
from kdsearch.models.pack_size import known_flops
from kdsearch.search.attempt import Attempt
from kdsearch.search.pack import Pack
from kdsearch.search.packing import SEARCH_ROUNDS
from kdsearch.search.packing import Packing
from kdsearch.search.spool import Spool
from tests.search.simulation import make_config
from tests.search.simulation import make_ledger
from tests.search.simulation import train

DIGITS = DatasetInfo("digits", 1047, 300, 450, 10, (1, 8, 8), 1.0)


def attempt(ledger: Ledger, config: SweepConfig, folder: Path, packing: Packing, number: int = 1) -> Attempt:
    made = Attempt(ledger, config, number, Spool(folder / "spool.jsonl"))
    made.packing = packing
    made.open()
    return made


def train_all(trained: Attempt, out_at_once: int, seed: int = 0) -> list[Pack]:
    """Every pack of the sweep; packs end in a random order."""
    generator = random.Random(seed)
    packs: list[Pack] = []
    out: list[Pack] = []
    while not trained.is_finished:
        while len(out) < out_at_once and (pack := trained.next_pack()) is not None:
            out.append(pack)
            packs.append(pack)
        done = out.pop(generator.randrange(len(out)))
        for slot in done.slots:
            trained.finish(train(trained, slot))
    return packs


@pytest.mark.parametrize("size", [1, 3, 16])
def test_every_trial_goes_out_once_in_packs_of_one_study(size: int, tmp_path: Path) -> None:
    config = make_config(trials_per_count=20)
    ledger = make_ledger(tmp_path, config)
    trained = attempt(ledger, config, tmp_path, Packing({None: size}, slots=2))
    packs = train_all(trained, 3)
    assert all(len({slot.study for slot in pack.slots}) == 1 for pack in packs)
    assert all(pack.batched == (size > 1) for pack in packs)
    counts = Counter(slot.key for pack in packs for slot in pack.slots)
    assert set(counts.values()) == {1} and len(counts) == len(trained.records) == trained.target
    assert {record.state for record in trained.records} == {TrialState.COMPLETE}
    largest = max(len(pack.slots) for pack in packs)
    assert largest == size if size < 16 else 3 < largest <= 16


def test_a_study_is_asked_in_rounds_and_confirmations_fill_a_pack(tmp_path: Path) -> None:
    config = make_config(trials_per_count=20, confirm={"top_k": 3, "seeds": 8})
    ledger = make_ledger(tmp_path, config)
    packs = train_all(attempt(ledger, config, tmp_path, Packing({None: 16}, slots=2)), 3)
    of_kind: dict[str, list[int]] = {}
    for pack in packs:
        kind = pack.slots[0].study.split("/")[1].partition("=")[0]
        of_kind.setdefault(kind, []).append(len(pack.slots))
    assert max(of_kind["n"]) == 20 // SEARCH_ROUNDS
    assert max(of_kind["confirm"]) == 16
    assert max(of_kind["controls"]) == 3


@pytest.mark.parametrize(("in_students", "most"), [(True, 4), (False, 10)])
def test_a_measured_size_counts_every_replicate(in_students: bool, most: int, tmp_path: Path) -> None:
    config = make_config(trials_per_count=60, controls=[], search={"replicates": 4})
    ledger = make_ledger(tmp_path, config)
    packing = Packing({None: 16 if in_students else 10}, slots=2, in_students=in_students)
    packs = train_all(attempt(ledger, config, tmp_path, packing), 3)
    searched = [pack for pack in packs if pack.slots[0].replicates == 4]
    assert max(len(pack.slots) for pack in searched) == most


def test_replicates_are_one_model_where_a_pack_has_no_room_for_another_trial(tmp_path: Path) -> None:
    config = make_config(controls=[], search={"replicates": 16}, students={"wide": {"name": "mlp", "hidden": [512]}})
    ledger = make_ledger(tmp_path, config)
    packing = Packing({None: 16, "wide": 1}, slots=2, in_students=True)
    pack = attempt(ledger, config, tmp_path, packing).next_pack()
    assert pack is not None and len(pack.slots) == 1 and pack.batched
    assert not packing.is_batched("wide"), "measured to be slower"


def test_every_slot_has_its_share_of_the_last_trials(tmp_path: Path) -> None:
    config = make_config(sample_counts=[20], trials_per_count=5, controls=["labels"], confirm={"top_k": 1, "seeds": 4})
    ledger = make_ledger(tmp_path, config)
    trained = attempt(ledger, config, tmp_path, Packing({None: 16}, slots=2))
    packs = train_all(trained, 3)
    assert [len(pack.slots) for pack in packs if "/confirm/" in pack.slots[0].study] == [4, 2, 1, 1]


def test_one_that_took_its_worker_down_goes_out_alone(tmp_path: Path) -> None:
    config = make_config(sample_counts=[20], trials_per_count=20, controls=[], confirm={"top_k": 0})
    ledger = make_ledger(tmp_path, config)
    trained = attempt(ledger, config, tmp_path, Packing({None: 16}, slots=1))
    first = trained.next_pack()
    assert first is not None and len(first.slots) == 4
    for slot in first.slots:
        trained.lose(slot.key, "the worker died", blame=True)
    again = [trained.next_pack() for _ in first.slots]
    assert [[slot.key for slot in pack.slots] for pack in again if pack] == [[slot.key] for slot in first.slots]
    following = trained.next_pack()
    assert following is not None and len(following.slots) == 4


def test_a_lost_node_sends_the_pack_out_again(tmp_path: Path) -> None:
    config = make_config(sample_counts=[20], trials_per_count=20, controls=[], confirm={"top_k": 0})
    ledger = make_ledger(tmp_path, config)
    trained = attempt(ledger, config, tmp_path, Packing({None: 16}, slots=1))
    first = trained.next_pack()
    assert first is not None
    for slot in first.slots:
        trained.lose(slot.key, "node died", blame=False)
    again = trained.next_pack()
    assert again is not None and [slot.key for slot in again.slots] == [slot.key for slot in first.slots]


def test_what_another_attempt_left_goes_out_in_packs(tmp_path: Path) -> None:
    config = make_config(sample_counts=[20, 50], trials_per_count=20, controls=[], confirm={"top_k": 0})
    ledger = make_ledger(tmp_path, config)
    packing = Packing({None: 16}, slots=1)
    first = attempt(ledger, config, tmp_path, packing)
    packs = [first.next_pack(), first.next_pack()]
    first.stop("interrupted")
    first.suspend_all()
    assert {record.state for record in first.records} == {TrialState.WAITING}
    second = attempt(ledger, config, tmp_path, packing, number=2)
    again = [second.next_pack(), second.next_pack()]
    assert [[slot.key for slot in pack.slots] for pack in again if pack] == [
        [slot.key for slot in pack.slots] for pack in packs if pack
    ]


def test_a_student_on_several_gpus_is_in_no_pack() -> None:
    data = describe(make_config().dataset)
    sizes = [Packing.of(make_config(resources={"gpus_per_trial": gpus}), data, 1).largest for gpus in (1, 2)]
    assert sizes[0] > 1 and sizes[1] == 1


def test_students_do_not_mix_and_none_is_left_behind(tmp_path: Path) -> None:
    """What was asked for beside a pack that it does not fit goes out next, and is suspended with what is out."""
    space = {"student": {"choices": ["small", "wide"]}, "alpha": {"low": 0.5, "high": 1.0}}
    students = {"small": {"name": "mlp", "hidden": [4]}, "wide": {"name": "mlp", "hidden": [8]}}
    changes: dict[str, Any] = {"search_space": {"parameters": space}, "students": students, "controls": []}
    config = make_config(sample_counts=[20], trials_per_count=40, confirm={"top_k": 0}, **changes)
    packing = Packing({None: 16, "small": 16, "wide": 16}, slots=1)
    (tmp_path / "whole").mkdir()
    whole = attempt(make_ledger(tmp_path / "whole", config), config, tmp_path, packing)
    packs = train_all(whole, 2)
    assert all(len({slot.recipe.student for slot in pack.slots}) == 1 for pack in packs)
    assert len({slot.key for pack in packs for slot in pack.slots}) == 40
    assert any(len(pack.slots) > 1 for pack in packs)

    stopped = attempt(make_ledger(tmp_path, config), config, tmp_path, packing)
    while not stopped._ready:
        assert stopped.next_pack() is not None
    stopped.stop("interrupted")
    stopped.suspend_all()
    assert {record.state for record in stopped.records} == {TrialState.WAITING}


@pytest.mark.parametrize(
    ("changes", "sizes"),
    [
        ({}, {None: 16}),
        ({"resources": {"trials_per_worker": 1}}, {None: 1}),
        ({"resources": {"trials_per_worker": 5}}, {None: 5}),
        ({"resources": {"max_concurrent": 1}}, {None: 1}),
        ({"resources": {"max_concurrent": 8}}, {None: 4}),
        ({"student": {"name": "mlp", "hidden": [512, 512]}}, {None: 1}),
        ({"student": {"name": "mlp", "hidden": [8], "dropout": 0.1}}, {None: 1}),
        ({"students": {"big": {"name": "mlp", "hidden": [200, 200]}}}, {None: 16, "big": 8}),
        ({"training": {"precision": "bf16"}}, {}),
        ({"training": {"augmentation": {"mode": "online"}}}, {}),
    ],
)
def test_sizes_are_what_the_configuration_asks_for(changes: dict[str, Any], sizes: dict[str | None, int]) -> None:
    assert Packing.of(make_config(**changes), DIGITS, slots=2).sizes == sizes


def test_what_a_sweep_has_recorded_stays() -> None:
    config = make_config(students={"big": {"name": "mlp", "hidden": [200, 200]}})
    recorded = {"student": 3, "big": 2}
    packing = Packing.of(config, DIGITS, slots=2, recorded=recorded)
    assert packing.sizes == {None: 3, "big": 2} and packing.recorded == recorded
    one_at_a_time = make_config(resources={"max_concurrent": 1})
    assert Packing.of(one_at_a_time, DIGITS, slots=2).recorded == {"student": 16}


@pytest.mark.parametrize(
    ("model", "input_shape"),
    [
        (ModelConfig(name="mlp", hidden=()), (1, 8, 8)),
        (ModelConfig(name="mlp", hidden=(70, 90)), (12,)),
        (ModelConfig(name="cnn", channels=(4, 6)), (1, 9, 11)),
        (ModelConfig(name="cnn", channels=(16, 16, 16)), (3, 32, 32)),
    ],
)
def test_the_flops_that_sizes_go_by_are_those_of_the_network(model: ModelConfig, input_shape: tuple[int, ...]) -> None:
    assert known_flops(model, input_shape, 7) == model_cost(model, input_shape, 7).flops
