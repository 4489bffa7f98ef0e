"""Terms: losses with hyperparameters and a regressor, from specs; and the specs themselves."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from kdsearch.errors import InputError
from kdsearch.features import FEATURE_SPECS
from kdsearch.features import FeatureSpec
from kdsearch.features.__main__ import describe
from kdsearch.features.defaults import default_layer
from kdsearch.features.tap import FeatureTap
from kdsearch.features.term import FeatureTerm
from kdsearch.objectives import SPECS
from tests.features.cases import CASES
from tests.features.cases import feature_loss
from tests.features.cases import feature_pair
from tests.features.cases import random_features
from tests.features.models import CNN
from tests.features.models import IMAGES
from tests.features.models import small


@pytest.mark.parametrize(("name", "parameters"), [case for case in CASES if case[0] != "fitnet"])
def test_a_term_is_its_loss(name: str, parameters: dict[str, Any]) -> None:
    student, teacher = feature_pair(name)
    term = FeatureTerm(name, tuple(student.shape[1:]), tuple(teacher.shape[1:]), parameters)
    assert not list(term.parameters()) and not term.state_dict()
    assert torch.equal(term(student, teacher), feature_loss(name, student, teacher, **parameters))


@pytest.mark.parametrize(
    ("student_shape", "teacher_shape", "parameter_count"),
    [((3,), (7,), 3 * 7 + 7), ((3, 5, 4), (7, 5, 4), 3 * 7 + 7), ((5, 3), (5, 7), 3 * 7 + 7)],
    ids=["vectors", "maps", "sequences"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_fitnets_regressor_learns_a_linear_relation(
    student_shape: tuple[int, ...], teacher_shape: tuple[int, ...], parameter_count: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    hidden, term = (FeatureTerm("fitnet", student_shape, teacher_shape) for _ in range(2))
    assert sum(parameter.numel() for parameter in term.parameters()) == parameter_count
    student = random_features(8, *student_shape, dtype=torch.float32).to(dtype)
    assert hidden.regressor is not None
    teacher = hidden.regressor(student.float()).detach()
    optimizer = torch.optim.Adam(term.parameters(), lr=0.05)
    losses = []
    for _ in range(300):
        optimizer.zero_grad()
        loss = term(student, teacher)
        assert loss.shape == (8,) and loss.dtype == torch.float32  # that of the regressor
        loss.mean().backward()
        optimizer.step()
        losses.append(loss.mean().item())
    assert losses[-1] < 1e-3 * losses[0]


def test_regressors_come_from_torchs_random_state() -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(FeatureTerm("fitnet", (3,), (4,)).state_dict()["regressor.weight"])
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


@pytest.mark.parametrize("name", FEATURE_SPECS)
def test_gradients_reach_the_student_and_never_the_teacher(name: str) -> None:
    student, teacher = small(CNN, seed=1), small(CNN.model_copy(update={"channels": (6, 9)}), seed=2)
    paths = [default_layer(name, model, IMAGES) for model in (student, teacher)]
    with FeatureTap(student, paths[0]) as student_tap, FeatureTap(teacher, paths[1]) as teacher_tap:
        student(IMAGES), teacher(IMAGES)
        features = student_tap.take(), teacher_tap.take()
    term = FeatureTerm(name, tuple(features[0].shape[1:]), tuple(features[1].shape[1:]))
    loss = term(*features)
    assert loss.shape == (7,)
    loss.mean().backward()
    assert all(
        p.grad is not None and p.grad.any() for name, p in student.named_parameters() if name.startswith("stage")
    )
    assert all(p.grad is not None and p.grad.any() for p in term.parameters())
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("name", FEATURE_SPECS)
def test_autocast_does_not_lower_the_precision(name: str) -> None:
    student, teacher = (feature.float() for feature in feature_pair(name))
    term = FeatureTerm(name, tuple(student.shape[1:]), tuple(teacher.shape[1:]))
    expected = term(student, teacher)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(term(student, teacher), expected)


@pytest.mark.parametrize(
    ("name", "shapes", "hyperparameters", "words"),
    [
        ("hint", ((3,), (3,)), {}, r"feature_objective=hint: must be one of fitnet, attention"),
        ("rkd", ((3,), (3,)), {"angle_weight": -1.0}, r"angle_weight=-1.0: must be >= 0"),
        ("rkd", ((3,), (3,)), {"temperature": 4.0}, r"temperature=4.0: `rkd` takes distance_weight, angle_weight"),
        ("cka", ((3,), (3,)), {"cosine_kernel": 2}, r"cosine_kernel=2: must be true"),
        ("fitnet", ((3,), (3,)), {"beta": 1.0}, r"beta=1.0: `fitnet` takes no hyperparameters"),
        ("fitnet", ((3,), (3, 4, 4)), {}, r"feature_objective=fitnet: needs two vectors .* \[3\] and .* \[3, 4, 4\]"),
        ("fitnet", ((5, 3), (6, 3)), {}, r"feature_objective=fitnet: needs two vectors"),
        ("attention", ((3, 4, 4), (3,)), {}, r"feature_objective=attention: needs feature maps \[C,H,W\], not \[3\]"),
    ],
)
def test_bad_terms(name: str, shapes: Any, hyperparameters: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=f"^{words}"):
        FeatureTerm(name, shapes[0], shapes[1], hyperparameters)


def test_all_problems_of_a_term_at_once() -> None:
    with pytest.raises(InputError) as caught:
        FeatureTerm("attention", (3,), (4,), {"p": 2})
    assert [problem.key for problem in caught.value.problems] == ["p", "feature_objective", "feature_objective"]


@pytest.mark.parametrize("spec", FEATURE_SPECS.values(), ids=FEATURE_SPECS)
def test_defaults_and_ranges_are_allowed(spec: FeatureSpec) -> None:
    for p in (spec.weight, *spec.parameters):
        assert [p.problem(value) for value in (p.default, p.low, p.high)] == [None, None, None]
        assert p.switch or p.low <= p.default <= p.high
        assert p.low < p.high and (p.low > 0 or not p.log)


def test_a_search_can_ask_for_every_name_once() -> None:
    own = [p.name for spec in FEATURE_SPECS.values() for p in spec.parameters]
    on_logits = {p.name for spec in SPECS.values() for p in spec.parameters}
    assert len(own) == len(set(own)) and not on_logits & {*own, "feature_weight", "alpha"}
    assert len({(s.weight.name, s.weight.low, s.weight.high) for s in FEATURE_SPECS.values()}) == 1


@pytest.mark.parametrize("spec", FEATURE_SPECS.values(), ids=FEATURE_SPECS)
def test_the_list_names_all_that_an_objective_takes(spec: FeatureSpec) -> None:
    text = describe(spec)
    assert spec.paper in text and all(p.name in text for p in (spec.weight, *spec.parameters))
    assert ("regressor" in text) == spec.is_trainable and ("maps" in text) == spec.needs_maps


def test_specs_need_no_torch() -> None:
    program = "import kdsearch.features.__main__, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
