"""MLflow's server for a group, with names and passwords: `mlflow server --app-name kdsearch-auth`.

It is MLflow's own `basic-auth`: its settings, its accounts, and `mlflow.server.get_app_client("basic-auth", …)`. By
itself that shows on a page the first hundred of the runs that its user may read.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kdsearch.tracking.pages import Application
from kdsearch.tracking.pages import GenerousPages


def create_app() -> Application:
    """Called in each of the server's processes.

    Raises:
        MlflowException: the settings of `basic-auth` lack something.
    """
    from mlflow.server.auth import create_app as with_users
    from mlflow.utils.file_utils import ExclusiveFileLock

    folder = Path(tempfile.gettempdir(), f"kdsearch-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    # The first process makes the accounts' tables and the administrator; MLflow makes them before for its own app only.
    with ExclusiveFileLock(str(folder / "mlflow-users.lock")):
        return GenerousPages(with_users())
