"""kdsearch's own tables in the ledger's database, beside Optuna's.

The lease is a column of `kdsearch_sweep`, because Optuna's API has no compare-and-set. Metric series have a table of
their own, because Optuna loads every attribute of every trial and 10,000 series would make `status` slow.
"""

from __future__ import annotations

from sqlalchemy import Boolean
from sqlalchemy import Column
from sqlalchemy import DateTime
from sqlalchemy import Float
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import Text

SCHEMA_VERSION = 1

metadata = MetaData()

meta = Table(
    "kdsearch_meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", String(256), nullable=False),
)

sweep = Table(
    "kdsearch_sweep",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("uid", String(64), nullable=False),
    Column("config", Text, nullable=False),
    Column("target", Integer, nullable=False),
    Column("created", DateTime, nullable=False),
    Column("state", String(32), nullable=False),
    Column("teacher", Text, nullable=False),
    Column("holder", Integer),
    # A counter, not a time: whoever waits for the lease watches whether it advances, so no two clocks are compared.
    Column("heartbeat", Integer, nullable=False),
    Column("stop_requested", Boolean, nullable=False),
)

attempt = Table(
    "kdsearch_attempt",
    metadata,
    Column("sweep", String(128), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("host", String(256), nullable=False),
    Column("boot", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started", String(32), nullable=False),
    Column("started", DateTime, nullable=False),
    # The time of the last heartbeat, by the holder's clock: when a driver that died was last alive.
    Column("alive", DateTime, nullable=False),
    Column("ended", DateTime),
    Column("outcome", Text),
)

search_time = Table(
    "kdsearch_search_time",
    metadata,
    Column("sweep", String(128), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    # Of `time_budget`: what the attempt had used at its last heartbeat.
    Column("seconds", Float, nullable=False),
)

series = Table(
    "kdsearch_series",
    metadata,
    Column("trial", String(256), primary_key=True),
    Column("sweep", String(128), nullable=False, index=True),
    Column("points", Text, nullable=False),
)
