"""boto3 clients that give up soon, and what their errors mean."""

from __future__ import annotations

from typing import Any

CONNECT_SECONDS = 3
READ_SECONDS = 10


def client(service: str, region: str | None) -> Any:
    """
    Raises:
        BotoCoreError: no region is known.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    return boto3.session.Session(region_name=region).client(service, config=config)


def reason(error: Exception) -> str:
    """One line: the service's code and message, or boto3's own."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("Error", {})
        text = f"{found.get('Code', 'unknown')}: {found.get('Message', 'no reason given')}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())[:200]
