"""A SQL database: can it be reached, what is in it, can it be written to? All of it is rolled back."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.doctor.finding import Remark
from kdsearch.doctor.finding import first_line
from kdsearch.doctor.folder import writing_remark
from kdsearch.sqlite import sqlite_file

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy import Engine

SECONDS = 5
"""How long a connection, or a lock, is waited for."""
CONNECT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "sqlite": {"timeout": SECONDS},
    "postgresql": {"connect_timeout": SECONDS, "options": f"-c lock_timeout={SECONDS * 1000}"},
}
ROLLS_TABLES_BACK = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Database:
    engine: Engine
    tables: frozenset[str]
    """Names of the tables that are in it."""

    def read(self, statement: str) -> str | None:
        """The first value of the first row."""
        from sqlalchemy import text

        with self.engine.connect() as connection:
            value = connection.execute(text(statement)).scalar()
        return None if value is None else str(value)

    def prove_writable(self, statement: str | None = None) -> None:
        """Execute `statement` (by default, make a table) in a transaction, and roll it back.

        Raises:
            SQLAlchemyError: it is not allowed, or the database is locked.
        """
        dialect = self.engine.dialect.name
        if dialect not in ROLLS_TABLES_BACK:
            return
        statement = statement or f"CREATE TABLE kdsearch_doctor_{uuid.uuid4().hex} (number INTEGER)"
        # Python's SQLite driver begins no transaction before it makes a table; so it is left out of it altogether.
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if dialect == "sqlite" else "BEGIN")
            with _rolled_back(connection):
                connection.exec_driver_sql(statement)


@contextlib.contextmanager
def _rolled_back(connection: Connection) -> Iterator[None]:
    try:
        yield
    finally:
        connection.exec_driver_sql("ROLLBACK")


@contextlib.contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database at `url`; one that is not there is not made.

    Raises:
        SQLAlchemyError, ImportError: it cannot be reached, or is no database.
    """
    from sqlalchemy import create_engine
    from sqlalchemy import inspect
    from sqlalchemy import make_url
    from sqlalchemy.pool import NullPool

    address = make_url(url)
    arguments = CONNECT_ARGUMENTS.get(address.get_backend_name(), {})
    arguments = {name: value for name, value in arguments.items() if name not in address.query}
    engine = create_engine(address, connect_args=arguments, poolclass=NullPool)
    try:
        yield Database(engine, frozenset(inspect(engine).get_table_names()))
    finally:
        engine.dispose()


def is_to_be_created(url: str) -> bool:
    """Whether `url` is a SQLite file that is not there yet."""
    file = sqlite_file(url)
    return file is not None and not file.exists()


def creating_remark(key: str, url: str) -> Remark | None:
    """Why the SQLite file `url` cannot be created, or None."""
    file = sqlite_file(url)
    assert file is not None
    return writing_remark(key, file.parent)


def failure(key: str, url: str, error: BaseException) -> Remark:
    """What an error of `opened` or of `prove_writable` means."""
    # What SQLAlchemy adds to the database's words is not for users.
    cause = _cause(error)
    lowered = cause.lower()
    file = sqlite_file(url)
    if isinstance(error, ImportError):
        return Remark.bad(f"{url}: {cause}", "install that driver")
    if file is not None and "locked" in lowered:
        advice = "a driver or a reader that has hung? end it; SQLite is for one machine, never a network file system"
        return Remark.bad(f"{file} has been locked for {SECONDS} s", advice)
    if file is not None and "not a database" in lowered:
        return Remark.bad(f"{file} is not a SQLite database", f"move it away, or name another file with {key}=")
    if file is not None:
        return Remark.bad(f"{file}: {cause}", f"make it and its folder writable, or name another file with {key}=")
    if "password" in lowered or "authentication" in lowered or "role" in lowered:
        return Remark.bad(f"{url} refuses the login: {cause}", f"correct the user or the password in {key}=")
    if "does not exist" in lowered:
        return Remark.bad(f"{url}: {cause}", f"create it (createdb), or correct {key}=")
    if "read-only" in lowered or "denied" in lowered:
        return Remark.bad(
            f"{url} cannot be written to: {cause}", "give its user the rights to create and change tables"
        )
    return Remark.bad(f"{url} does not answer: {cause}", f"start the server, or correct {key}=")


def _cause(error: BaseException) -> str:
    """The database's own words, without the address, which we say ourselves."""
    words = first_line(getattr(error, "orig", None) or error)
    return re.sub(r"^(connection failed: )?(connection to server at \S+, port \d+ failed: )?", "", words)
