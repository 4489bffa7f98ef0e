"""Confirmed students as MLflow models: programs of torch.export with a signature, no pickled code.

MLflow's other formats are pickles, which run whatever is in them when they are loaded. A program needs neither that nor
the code of the network: `mlflow.pytorch.load_model("models:/digits@n50")` runs where kdsearch is not installed.

Importing this module imports MLflow and torch (seconds). Nothing here touches MLflow's global state: a sweep may run in
a program that tracks something of its own.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow.pytorch
import torch
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from torch import nn

from kdsearch.tracking.projection import RECIPE
from kdsearch.tracking.projection import TRIAL
from kdsearch.tracking.projection import UID

if TYPE_CHECKING:
    import numpy as np
    from mlflow import MlflowClient
    from numpy.typing import NDArray

EXAMPLE_BATCH = 2
"""Of the inputs that a student is traced with: of one alone, the batch would be fixed."""
_PROGRAM = Path("data", "model.pt2")


@dataclass(frozen=True)
class LoggableStudent:
    """The best confirmed student of a sample count."""

    trial: str
    """The key of the confirmation that trained it."""
    uid: str
    """Of the sweep."""
    sample_count: int
    recipe: str
    module: nn.Module
    """On the CPU, in eval mode."""
    samples: NDArray[np.generic]
    """Real inputs [N, *input_shape], N >= EXAMPLE_BATCH; those of the validation split."""


def log_student(
    client: MlflowClient, experiment_id: str, run_id: str, student: LoggableStudent, register_as: str | None = None
) -> str:
    """Log a student as a model of the run `run_id`, unless it is there; returns the model's id.

    With `register_as` it becomes a version of that registered model, under the alias `n<sample count>`.

    Raises:
        Exception: of torch where the network cannot be traced, of MLflow where it does not take the model.
    """
    tags = {UID: student.uid, TRIAL: student.trial, RECIPE: student.recipe}
    model_id = _logged(client, experiment_id, tags)
    if model_id is None:
        model_id = _log(client, experiment_id, run_id, student, tags)
    if register_as is not None:
        _register(client, register_as, model_id, run_id, student)
    return model_id


def _logged(client: MlflowClient, experiment_id: str, tags: dict[str, str]) -> str | None:
    condition = f"tags.`{UID}` = '{tags[UID]}' AND tags.`{TRIAL}` = '{tags[TRIAL]}'"
    found = client.search_logged_models([experiment_id], condition)
    return next((str(model.model_id) for model in found if str(model.status) == "READY"), None)


def _log(client: MlflowClient, experiment_id: str, run_id: str, student: LoggableStudent, tags: dict[str, str]) -> str:
    example = student.samples[:EXAMPLE_BATCH]
    with torch.no_grad():
        outputs = student.module(torch.from_numpy(example)).numpy()
    params = {"sample_count": str(student.sample_count)}
    with tempfile.TemporaryDirectory(prefix="kdsearch-model-") as folder:
        path = Path(folder, "model")
        mlflow.pytorch.save_model(
            student.module,
            path,
            signature=infer_signature(example, outputs),
            input_example=example,
            serialization_format="pt2",
            pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}"],
        )
        _forget_paths(path / _PROGRAM)
        name = f"student-n{student.sample_count}"
        model = client.create_logged_model(experiment_id, name, run_id, tags, params, "student")
        model_id = str(model.model_id)
        client.log_model_artifacts(model_id, str(path))
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
    return model_id


def _forget_paths(path: Path) -> None:
    """Where the code lies on this machine is nobody else's business."""
    program = torch.export.load(path)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


def _register(client: MlflowClient, name: str, model_id: str, run_id: str, student: LoggableStudent) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    alias = f"n{student.sample_count}"
    # `models:/<id>` would be looked up where MLflow tracks by default, which may be elsewhere.
    source = client.get_logged_model(model_id).artifact_location
    if _source_behind(client, name, alias) != source:
        version = client.create_model_version(name, source, run_id, model_id=model_id)
        client.set_registered_model_alias(name, alias, version.version)


def _source_behind(client: MlflowClient, name: str, alias: str) -> str | None:
    try:
        return str(client.get_model_version_by_alias(name, alias).source)
    except MlflowException:
        return None
