"""MLflow's server as `kdsearch ui` starts it: by the entry point `kdsearch` of `mlflow.app`, without passwords."""

from __future__ import annotations

from mlflow.server.fastapi_app import app as _mlflow

from kdsearch.tracking.pages import GenerousPages

app = GenerousPages(_mlflow)
