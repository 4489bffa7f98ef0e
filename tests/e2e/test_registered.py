"""`mlflow.register=true`: the best confirmed student of each sample count, loadable without kdsearch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdsearch.config.compose import compose_sweep
from kdsearch.data import load_splits
from kdsearch.students.choice import by_validation
from kdsearch.students.choice import chosen_recipes
from tests.e2e.harness import SMALL
from tests.e2e.harness import Workplace

CODE = (".pkl", ".pickle", ".pth", ".py")
LOAD = """
import sys
import mlflow, numpy as np, torch
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pytorch.load_model(sys.argv[2])
outputs = model(torch.from_numpy(np.load("inputs.npy")))
np.save("outputs.npy", outputs.detach().numpy())
assert not [name for name in sys.modules if name.startswith("kdsearch")]
"""


@pytest.mark.slow
def test_the_best_students_are_registered_as_programs(workplace: Workplace) -> None:
    workplace.sweep("mlflow.register=true")
    from mlflow import MlflowClient
    from mlflow.models import Model

    uri = f"sqlite:///{workplace.folder}/kdsearch-data/mlflow.db"
    client: Any = MlflowClient(uri)
    sweep = workplace.load()
    config = compose_sweep(["name=digits", *SMALL]).config
    validation = load_splits(config.dataset, config.seed).validation
    choices = chosen_recipes(sweep.record, sweep.records)
    logged = client.search_logged_models([client.get_experiment_by_name("digits").experiment_id])
    trials = {model.artifact_location: model.tags["kdsearch.trial"] for model in logged}
    assert list(choices) == [20, 50] and len(client.search_model_versions("name = 'digits'")) == 2
    for count, choice in choices.items():
        best = by_validation(choice.distilled, "val_accuracy")[0]
        version = client.get_model_version_by_alias("digits", f"n{count}")
        assert trials[version.source] == best.key
        assert client.get_run(str(version.run_id)).data.tags["kdsearch.trial"] == best.key
        folder = Path(client.get_model_version_download_uri("digits", version.version).removeprefix("file://"))
        assert not [file for file in folder.rglob("*") if file.suffix in CODE]
        signature = Model.load(str(folder)).signature
        assert signature.inputs.inputs[0].shape == (-1, *validation.inputs.shape[1:])
        outputs = loaded_outputs(workplace.folder, uri, f"models:/digits@n{count}", np.asarray(validation.inputs))
        accuracy = float((outputs.argmax(1) == np.asarray(validation.targets)).mean())
        assert abs(accuracy - best.metrics["val_accuracy"]) < 1e-6


def loaded_outputs(folder: Path, uri: str, model: str, inputs: np.ndarray) -> np.ndarray:
    """What another program gets that knows MLflow and torch alone."""
    np.save(folder / "inputs.npy", inputs)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [sys.executable, "-c", LOAD, uri, model]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    outputs: np.ndarray = np.load(folder / "outputs.npy")
    return outputs
