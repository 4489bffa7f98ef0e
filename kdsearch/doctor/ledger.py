"""Is the ledger's database one that a sweep can be written to?"""

from __future__ import annotations

from kdsearch.config.schema import SweepConfig
from kdsearch.doctor.database import Database
from kdsearch.doctor.database import creating_remark
from kdsearch.doctor.database import failure
from kdsearch.doctor.database import is_to_be_created
from kdsearch.doctor.database import opened
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Remark
from kdsearch.errors import InputError

OPTUNA_TABLE = "version_info"
SHARED_TABLE = "alembic_version"
"""Optuna and MLflow both keep the version of their tables in a table of this name, and there can be only one."""
OWN_DATABASE = "give the ledger and MLflow a database each"


def look_at_ledger(config: SweepConfig) -> Finding:
    from sqlalchemy.exc import SQLAlchemyError

    url = config.ledger
    if url == config.mlflow.tracking_uri:
        return Finding.conclude("ledger", "", [Remark.bad(f"{url} is mlflow.tracking_uri too", OWN_DATABASE)])
    if is_to_be_created(url):
        remark = creating_remark("ledger", url)
        return Finding.conclude("ledger", f"{url} is not there yet and can be created", [remark] if remark else [])
    try:
        with opened(url) as database:
            found, remark = _content(database, url)
    except (SQLAlchemyError, ImportError) as error:
        found, remark = "", failure("ledger", url, error)
    return Finding.conclude("ledger", found, [remark] if remark else [])


def _content(database: Database, url: str) -> tuple[str, Remark | None]:
    from kdsearch.ledger import tables

    if tables.meta.name in database.tables:
        return _sweeps(database, url)
    if SHARED_TABLE in database.tables and OPTUNA_TABLE not in database.tables:
        return "", Remark.bad(f"{url} holds the tables of another program (MLflow?)", OWN_DATABASE)
    database.prove_writable()
    others = len(database.tables)
    return f"{url} is writable and {f'holds {others} other tables' if others else 'empty'}: a ledger can be made", None


def _sweeps(database: Database, url: str) -> tuple[str, Remark | None]:
    from kdsearch.ledger import open_ledger
    from kdsearch.ledger import tables

    try:
        ledger = open_ledger(url)
    except InputError as error:
        advice = "install a kdsearch that is at least as new as the one that wrote it, or name another ledger="
        return "", Remark.bad(str(error), advice)
    try:
        count = len(ledger.sweeps())
    finally:
        ledger.close()
    database.prove_writable(f"INSERT INTO {tables.meta.name} VALUES ('doctor', '')")
    return f"{url} is writable and holds {count} sweep{'' if count == 1 else 's'}", None
