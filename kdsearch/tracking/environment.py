"""Makes MLflow quiet, quick to give up on one request (the tracker does the retrying), and free of telemetry."""

from __future__ import annotations

import logging
import os

_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The HTTP client must not repeat a request by itself: a repeated `create_run` whose first answer was lost
    # would leave a second run. The tracker looks the run up before it tries again.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_CHATTY = ("alembic", "mlflow", "git")


def prepare_environment() -> None:
    """Set what the user has not set; call it before MLflow is imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def silence_loggers() -> None:
    """Keep MLflow's and alembic's messages off the screen, its tracebacks of what the tracker retries too.

    Call it after MLflow is imported.
    """
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
