"""Which errors say that the ledger's database is away, not that something is wrong with what was asked of it."""

from __future__ import annotations


def is_away(error: BaseException) -> bool:
    """Whether the database did not answer, was shutting down, locked or full: the same call may succeed later."""
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.exc import InterfaceError
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.exc import TimeoutError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OperationalError | InterfaceError | TimeoutError):
            return True
        if isinstance(cause, DBAPIError) and cause.connection_invalidated:
            return True
        # Optuna wraps what the database raised.
        cause = cause.__cause__
    return False


def cause_of(error: BaseException) -> str:
    """What the database said, in one line."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lines = str(getattr(cause, "orig", None) or cause).splitlines()
    return lines[0] if lines else type(cause).__name__
