from __future__ import annotations

import pytest

from kdsearch.config.secrets import is_masked
from kdsearch.config.secrets import mask_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql+psycopg://me:p@ss:w@host/db", "postgresql+psycopg://me:***@host/db"),
        ("https://:token@host", "https://:***@host"),
        ("http://host/x?password=hunter2&a=1", "http://host/x?password=***&a=1"),
        ("at http://a:b@c and http://d:e@f.", "at http://a:***@c and http://d:***@f."),
        ("postgresql://me:pre${oc.env:PW}@host/db", "postgresql://me:***@host/db"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown
    assert mask_url(shown) == shown
    assert is_masked(shown)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////data/ledger.db",
        "http://host:5000",
        "postgresql://me@host/db",
        "s3://bucket/prefix",
        "postgresql://me:${oc.env:PW}@host/db",
        "postgresql://${oc.env:ME}:${oc.env:PW}@host/db",
        "${oc.env:LEDGER}",
    ],
)
def test_what_holds_no_password_stays(url: str) -> None:
    assert mask_url(url) == url
    assert not is_masked(url)
