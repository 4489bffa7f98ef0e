"""Does MLflow answer, and is it one that we can write to?"""

from __future__ import annotations

from typing import Any

from kdsearch.config.schema import SweepConfig
from kdsearch.doctor.database import Database
from kdsearch.doctor.database import creating_remark
from kdsearch.doctor.database import failure
from kdsearch.doctor.database import is_to_be_created
from kdsearch.doctor.database import opened
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Remark
from kdsearch.doctor.finding import first_line
from kdsearch.doctor.ledger import OPTUNA_TABLE
from kdsearch.doctor.ledger import OWN_DATABASE
from kdsearch.doctor.ledger import SHARED_TABLE

KEY = "mlflow.tracking_uri"
SECONDS = 5
OLDEST_SERVER = (2, 0)
"""MLflow's REST interface has what is used here since then."""


def look_at_mlflow(config: SweepConfig) -> Finding:
    uri = str(config.mlflow.tracking_uri)
    if uri.startswith(("http://", "https://", "databricks")):
        found, remark = _server(uri)
    elif is_to_be_created(uri):
        found, remark = f"{uri} is not there yet and can be created", creating_remark(KEY, uri)
    else:
        found, remark = _database(uri)
    return Finding.conclude("mlflow", found, [remark] if remark else [])


def _server(uri: str) -> tuple[str, Remark | None]:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.version import VERSION

    try:
        credentials = MlflowClient(uri)._tracking_client.store.get_host_creds()
        version = None if uri.startswith("databricks") else _ask(credentials, "/version", "GET").text.strip()
        # The version is given to anybody; this needs a login where there is one.
        answer = _ask(credentials, "/api/2.0/mlflow/experiments/search", "POST", json={"max_results": 1})
    except MlflowException as error:
        return "", Remark.bad(f"{uri} does not answer: {_reason(error)}", f"start the server, or correct {KEY}=")
    if answer.status_code in (401, 403):
        advice = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        return "", Remark.bad(f"{uri} refuses the login (HTTP {answer.status_code})", advice)
    if answer.status_code != 200 or "<" in (version or ""):
        found = f"{uri} answers, but not as MLflow does (HTTP {answer.status_code})"
        return "", Remark.bad(found, f"correct {KEY}=, look into the server's log")
    found = f"{uri} answers, MLflow {version} (here {VERSION})" if version else f"{uri} answers"
    if version and _release(version) < OLDEST_SERVER:
        return found, Remark.bad(f"{uri} is MLflow {version}", "update the server")
    return found, None


def _ask(credentials: Any, path: str, method: str, **options: Any) -> Any:
    from mlflow.utils.rest_utils import http_request

    options |= {"timeout": SECONDS, "max_retries": 0, "raise_on_status": False}
    return http_request(credentials, path, method, **options)


def _reason(error: BaseException) -> str:
    """Without the chain of exceptions that the HTTP client puts around what happened."""
    text = str(error)
    for told, reason in (
        ("Connection refused", "connection refused"),
        ("timed out", f"no answer within {SECONDS} s"),
        ("Name or service not known", "its host is not known"),
        ("Failed to resolve", "its host is not known"),
        ("No route to host", "no route to its host"),
        ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
    ):
        if told in text:
            return reason
    return first_line(error)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _database(uri: str) -> tuple[str, Remark | None]:
    from mlflow.version import VERSION
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with opened(uri) as database:
            remark = _schema_remark(database, uri)
            if remark is None:
                database.prove_writable()
            filled = "" if SHARED_TABLE in database.tables else " and empty: MLflow's tables can be made"
    except (SQLAlchemyError, ImportError) as error:
        return "", failure(KEY, uri, error)
    return f"{uri} is writable{filled or ' and as MLflow ' + VERSION + ' wants it'}", remark


def _schema_remark(database: Database, uri: str) -> Remark | None:
    """Are its tables those of the MLflow that is installed?"""
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.version import VERSION

    if OPTUNA_TABLE in database.tables:
        return Remark.bad(f"{uri} holds Optuna's tables", OWN_DATABASE)
    if SHARED_TABLE not in database.tables:
        return None
    revision = database.read(f"SELECT version_num FROM {SHARED_TABLE}")
    revisions = ScriptDirectory.from_config(_get_alembic_config(""))
    if revision == revisions.get_current_head():
        return None
    if revision in {known.revision for known in revisions.walk_revisions()}:
        found = f"{uri} was made by an older MLflow than {VERSION}"
        return Remark.bad(found, f"back it up, then `mlflow db upgrade` it, or name another {KEY}=")
    found = f"{uri} is not a database of MLflow {VERSION} (schema {revision}): a newer MLflow's?"
    return Remark.bad(found, f"install the MLflow that wrote it, or name another {KEY}=")
