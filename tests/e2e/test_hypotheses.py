"""What distillation lives on, on Fashion-MNIST at n=600: neither regularisation nor confidence explains its gain."""

from __future__ import annotations

import pytest

from tests.benchmarks.hypotheses import Accuracies
from tests.benchmarks.hypotheses import accuracies
from tests.benchmarks.hypotheses import difference
from tests.benchmarks.hypotheses import table

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
MARGIN = 0.02


@pytest.fixture(scope="module")
def found() -> Accuracies:
    found = accuracies(seeds=4)
    print(table(found))
    return found


@pytest.mark.parametrize("distilled", ["kl", "mse"])
def test_distillation_gains(distilled: str, found: Accuracies) -> None:
    assert difference(found, distilled, "labels").low > MARGIN, table(found)


@pytest.mark.parametrize("distilled", ["kl", "mse"])
@pytest.mark.parametrize("control", ["shuffled_teacher", "label_smoothing", "smoothed_teacher", "random_head"])
def test_a_control_gains_clearly_less(control: str, distilled: str, found: Accuracies) -> None:
    less = difference(found, control, distilled)
    assert less.ci95 is not None and less.seeds == 4
    assert less.high < -MARGIN, table(found)
