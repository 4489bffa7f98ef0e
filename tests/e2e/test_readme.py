"""The README's own example of own data and models, run as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.e2e.harness import Workplace

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.slow
def test_own_data_and_models(workplace: Workplace) -> None:
    code = re.search(r"```python\n(# mine\.py\n.*?)```", README, re.DOTALL)
    command = re.search(r"    kdsearch (sweep dataset=custom .*?)\n\n", README, re.DOTALL)
    assert code is not None and command is not None
    (workplace.folder / "mine.py").write_text(code[1])
    images, targets = load_digits(n_class=7, return_X_y=True)
    np.savez(
        workplace.folder / "mine.npz",
        train_x=images[:1100] / 16,
        train_y=targets[:1100],
        test_x=images[1100:] / 16,
        test_y=targets[1100:],
    )
    words = shlex.split(command[1].replace("\\\n", " "))
    small = ("trials_per_count=1", "training.steps=30", "teacher.training.epochs=2", "confirm.seeds=2")
    workplace.run(*words, *small, f"cluster.address={workplace.ray_address}")
    sweep = workplace.load("mine")
    assert sweep.state == "complete"
    assert {record.sample_count for record in sweep.records} == {50, 200, 800}
    assert sweep.best(200)["seeds"] == 2
