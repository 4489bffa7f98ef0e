"""What a student is told: its samples, the unlabelled ones, and a teacher's answers or what a control puts there."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import kdsearch
from kdsearch.api import train_student
from kdsearch.config.schema import AugmentationConfig
from kdsearch.config.schema import DatasetConfig
from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.data import Splits
from kdsearch.data import load_splits
from kdsearch.distiller.sets import UNLABELLED
from kdsearch.recipe import Recipe
from kdsearch.teacher import Lesson
from kdsearch.teacher import LessonPlan
from kdsearch.teacher import Signals
from kdsearch.teacher import Teacher
from kdsearch.teacher import give_lesson
from kdsearch.teacher import train_teacher
from kdsearch.teacher.altered import smoothed_logits
from tests.distiller.teachers import fingerprint
from tests.distiller.teachers import users

QUICK = TrainingConfig(steps=40, evaluations=2)
STUDENT = ModelConfig(name="mlp", hidden=(8,))
KL = Recipe("kl", 0.5, {"temperature": 2.0})
SHIFT: dict[str, dict[str, Any]] = {"RandomCrop": {"size": 8, "padding": 1}}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def splits() -> Splits:
    return load_splits(DatasetConfig(name="digits", validation_count=300, subset="uniform"), seed=0).without_test()


@pytest.fixture(scope="module")
def teacher(splits: Splits) -> Teacher:
    config = TeacherConfig(name="mlp", model=ModelConfig(name="mlp", hidden=(24,)), training=QUICK)
    return train_teacher(config, splits, 0)


@pytest.fixture(scope="module")
def ensemble(splits: Splits) -> Teacher:
    model = users("Normalised")
    training = TrainingConfig(steps=30, evaluations=1)
    config = TeacherConfig(name="mlp", model=model, training=training, seeds=2, weighting="unikd")
    return train_teacher(config, splits, 0)


def lesson(
    splits: Splits, teacher: Teacher | None, plan: LessonPlan, recipe: Recipe = KL, n: int = 30, seed: int = 1
) -> Lesson:
    return give_lesson(plan, splits, teacher, recipe.source, sample_count=n, subset_seed=seed, device=CPU)


def state(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([tensor.flatten().float() for tensor in model.state_dict().values()])


def test_unlabelled_samples_are_others_of_the_pool(splits: Splits, teacher: Teacher) -> None:
    found: dict[int, list[int]] = {}
    for count in (0, 10, 25):
        data = lesson(splits, teacher, LessonPlan(0, unlabelled_count=count)).data
        assert len(data) == 30 + count and data.labelled_count == 30
        assert bool((data.targets[:30] >= 0).all()) and bool((data.targets[30:] == UNLABELLED).all())
        assert data.ids[:30].tolist() == splits.samples(30, 1).ids.tolist()
        assert len(set(data.ids.tolist())) == len(data)
        assert set(data.ids.tolist()) <= set(splits.pool.ids.tolist()) - set(splits.validation.ids.tolist())
        assert data.signals is not None
        assert np.array_equal(data.signals.numpy(), teacher.signals.of(data.ids.numpy()))
        found[count] = data.ids[30:].tolist()
    assert found[25][:10] == found[10]
    other = lesson(splits, teacher, LessonPlan(1, unlabelled_count=25)).data
    assert other.ids[30:].tolist() != found[25]


def test_their_inputs_are_those_of_their_ids(splits: Splits, teacher: Teacher) -> None:
    data = lesson(splits, teacher, LessonPlan(0, unlabelled_count=25)).data
    place = {int(key): index for index, key in enumerate(splits.pool.ids)}
    for key, inputs in zip(data.ids.tolist(), data.inputs, strict=True):
        assert np.array_equal(inputs.numpy(), np.asarray(splits.pool.inputs)[place[key]])


def test_only_the_taught_see_them(splits: Splits, teacher: Teacher) -> None:
    plan = LessonPlan(0, unlabelled_count=25)
    for recipe in (Recipe("labels", 0.0), Recipe("kl", 1.0, signal="smoothed")):
        assert len(lesson(splits, teacher, plan, recipe).data) == 30
    for signal in ("teacher", "shuffled", "random_head"):
        assert len(lesson(splits, teacher, plan, Recipe("kl", 1.0, signal=signal)).data) == 55


@pytest.mark.parametrize("mode", ["none", "bank", "online"])
@pytest.mark.parametrize("signal", ["teacher", "shuffled", "random_head"])
@pytest.mark.parametrize("weighting", ["equal", "unikd"])
def test_nobody_sees_their_labels(splits: Splits, ensemble: Teacher, weighting: str, signal: Any, mode: Any) -> None:
    """Other labels there, the same teacher: the same weights to the bit."""
    config = ensemble.config.model_copy(update={"weighting": weighting})
    teacher = dataclasses.replace(ensemble, config=config)
    plan = LessonPlan(0, augmentation(mode), unlabelled_count=20)
    labelled = splits.samples(20, 1).ids
    others = ~np.isin(splits.pool.ids, labelled)
    targets = np.where(others, (splits.pool.targets + 3) % 10, splits.pool.targets)
    changed = dataclasses.replace(splits, pool=dataclasses.replace(splits.pool, targets=targets))
    wrong = dataclasses.replace(splits, pool=dataclasses.replace(splits.pool, targets=(splits.pool.targets + 3) % 10))
    recipe = dataclasses.replace(KL, signal=signal)
    settings: dict[str, Any] = {
        "sample_count": 20,
        "subset_seed": 1,
        "student": STUDENT,
        "training": QUICK.model_copy(update={"steps": 12, "evaluations": 1, "augmentation": plan.augmentation}),
        "plan": plan,
    }
    first, second, third = (train_student(s, teacher, recipe, **settings).model for s in (splits, changed, wrong))
    assert torch.equal(state(first), state(second))
    assert not torch.equal(state(first), state(third))


def augmentation(mode: str) -> AugmentationConfig:
    return AugmentationConfig.model_validate(
        {"mode": mode, "views": 2, "transforms": [] if mode == "none" else [SHIFT]}
    )


@pytest.mark.parametrize("several", [False, True])
def test_a_bank_is_asked_about_view_by_view(splits: Splits, teacher: Teacher, ensemble: Teacher, several: bool) -> None:
    taught = ensemble if several else teacher
    plan = LessonPlan(0, augmentation("bank"), unlabelled_count=5)
    data = lesson(splits, taught, plan).data
    assert data.inputs.shape == (35, 2, 1, 8, 8) and data.signals is not None
    for view in range(2):
        with torch.no_grad():
            answers = [network.model(data.inputs[:, view]) for network in taught.networks]
        expected = torch.stack(answers, dim=1) if several else answers[0]
        assert torch.allclose(data.signals[:, view], expected, atol=1e-5)
    fewer = lesson(splits, taught, plan, n=10).data
    place = {key: index for index, key in enumerate(data.ids.tolist())}
    for index, key in enumerate(fewer.ids.tolist()):
        if key in place:
            assert torch.equal(fewer.inputs[index], data.inputs[place[key]])


def test_online_asks_the_teacher_and_caches_nothing(splits: Splits, ensemble: Teacher) -> None:
    given = lesson(splits, ensemble, LessonPlan(0, augmentation("online")))
    assert given.data.signals is None and given.teacher is not None and given.teacher.is_ensemble
    assert given.data.weighting == "unikd"
    cached = lesson(splits, ensemble, LessonPlan(0)).data.signals
    assert cached is not None
    assert torch.allclose(given.teacher.answer_all(given.data.inputs).logits, cached, atol=1e-5)
    assert lesson(splits, ensemble, LessonPlan(0, augmentation("online")), Recipe("labels", 0.0)).teacher is None


@pytest.mark.parametrize("signal", ["teacher", "shuffled", "random_head"])
@pytest.mark.parametrize("several", [False, True])
def test_cached_and_online_from_data_to_metrics(
    splits: Splits, teacher: Teacher, ensemble: Teacher, several: bool, signal: Any
) -> None:
    taught = ensemble if several else teacher
    before = [fingerprint(network.model) for network in taught.networks]
    settings: dict[str, Any] = {"sample_count": 45, "student": STUDENT, "training": QUICK}
    found = []
    for mode in ("none", "online"):
        plan = LessonPlan(0, AugmentationConfig(mode=mode), unlabelled_count=10)
        result = train_student(splits, taught, dataclasses.replace(KL, signal=signal), plan=plan, **settings)
        found.append([dict(point.metrics) for point in result.series])
    assert found[0][0]["train_loss"] != found[0][1]["train_loss"]
    for cached, online in zip(*found, strict=True):
        assert online == pytest.approx(cached, rel=1e-5, abs=1e-5)
    assert [fingerprint(network.model) for network in taught.networks] == before


def test_shuffled_answers_keep_the_labels_probability(splits: Splits, teacher: Teacher) -> None:
    recipe = dataclasses.replace(KL, signal="shuffled")
    data, again = (lesson(splits, teacher, LessonPlan(0, unlabelled_count=20), recipe).data for _ in range(2))
    assert data.signals is not None and data.permutations is not None and again.permutations is not None
    assert torch.equal(data.permutations, again.permutations)
    kept = torch.where(data.targets < 0, data.signals.argmax(dim=1), data.targets).unsqueeze(1)
    told = data.signals.gather(1, data.permutations)
    assert torch.equal(told.gather(1, kept), data.signals.gather(1, kept))
    assert bool((told != data.signals).any(dim=1).float().mean() > 0.9)


@pytest.mark.parametrize("mode", ["none", "bank", "online"])
def test_the_smoothed_teacher_needs_no_teacher_in_the_loop(splits: Splits, teacher: Teacher, mode: str) -> None:
    given = lesson(splits, teacher, LessonPlan(0, augmentation(mode)), Recipe("kl", 1.0, signal="smoothed"))
    assert given.teacher is None and given.data.signals is not None
    expected = smoothed_logits(given.data.targets, 10)
    signals = given.data.signals if mode != "bank" else given.data.signals[:, 1]
    assert torch.equal(signals, expected)


def test_controls_from_python(splits: Splits, teacher: Teacher) -> None:
    """Each teaches something else; the hand-made teacher does not depend on the real one."""
    settings: dict[str, Any] = {"sample_count": 40, "student": STUDENT, "training": QUICK, "temperature": 2.0}
    found = {
        signal: kdsearch.distill(splits, teacher, signal=signal, **settings)
        for signal in ("teacher", "smoothed", "shuffled", "random_head")
    }
    states = [tuple(state(result.model).tolist()) for result in found.values()]
    assert len(set(states)) == 4
    accuracy = {signal: result.metrics["val_accuracy"] for signal, result in found.items()}
    assert accuracy["random_head"] < min(accuracy["teacher"], accuracy["smoothed"], accuracy["shuffled"])
    ids = np.sort(np.concatenate([splits.pool.ids, splits.validation.ids]))
    other = dataclasses.replace(
        teacher,
        networks=(
            dataclasses.replace(
                teacher.networks[0],
                signals=Signals(ids, -teacher.signals.of(ids)),
            ),
        ),
    )
    again = kdsearch.distill(splits, other, signal="smoothed", **settings)
    assert torch.equal(state(again.model), state(found["smoothed"].model))


def test_easy_and_hard_samples_by_the_teachers_loss(splits: Splits, teacher: Teacher) -> None:
    logits = torch.from_numpy(teacher.signals.of(splits.pool.ids))
    losses = F.cross_entropy(logits, torch.from_numpy(splits.pool.targets), reduction="none").numpy()
    by_id = dict(zip(splits.pool.ids.tolist(), losses.tolist(), strict=True))
    for subset, extreme in (("easy", 1), ("hard", -1)):
        data = lesson(splits, teacher, LessonPlan(0), dataclasses.replace(KL, subset=subset), n=60).data  # type: ignore[arg-type]
        chosen = set(data.ids.tolist())
        for c in range(10):
            in_class = splits.pool.ids[splits.pool.targets == c].tolist()
            ours = [key for key in in_class if key in chosen]
            best = sorted(in_class, key=lambda key: extreme * by_id[key])[: len(ours)]
            assert len(ours) >= 4 and set(ours) == set(best)
    labels = Recipe("labels", 0.0, subset="easy")
    easy = lesson(splits, teacher, LessonPlan(0), dataclasses.replace(KL, subset="easy"), n=60).data.ids.tolist()
    assert lesson(splits, teacher, LessonPlan(0), labels, n=60).data.ids.tolist() == easy


def test_selection_from_python(splits: Splits, teacher: Teacher) -> None:
    settings: dict[str, Any] = {"sample_count": 40, "student": STUDENT, "training": QUICK, "subset_seed": 1}
    found = {s: kdsearch.distill(splits, teacher, subset=s, **settings) for s in (None, "easy", "hard")}
    assert len({tuple(state(result.model).tolist()) for result in found.values()}) == 3
    with pytest.raises(ValueError, match="needs the teacher's losses"):
        kdsearch.distill(splits, subset="easy", **settings)
