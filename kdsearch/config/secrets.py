"""Keeping credentials out of what is shown and stored."""

from __future__ import annotations

import re

MASK = "***"

_REFERENCE = r"\$\{[^}]*\}"
_CREDENTIALS = re.compile(
    rf"(?P<start>[A-Za-z][A-Za-z0-9+.-]*://(?:{_REFERENCE}|[^\s:/@?#$])*):(?P<password>(?:{_REFERENCE}|[^\s/])*)@"
)
_SECRET_QUERY = re.compile(
    r"(?P<start>[?&](?:password|passwd|token|secret|sslpassword|api_key)=)[^\s&#]*", re.IGNORECASE
)


def mask_url(text: str) -> str:
    """`text` with the password of every URL in it replaced by `***`; a reference such as `${oc.env:PW}` stays."""
    masked = _CREDENTIALS.sub(_masked_password, text)
    return _SECRET_QUERY.sub(lambda match: match["start"] + MASK, masked)


def is_masked(url: str) -> bool:
    """Whether `url` had its password taken out by `mask_url`."""
    return f":{MASK}@" in url or f"={MASK}" in url


def _masked_password(match: re.Match[str]) -> str:
    password = match["password"]
    is_reference = re.fullmatch(f"(?:{_REFERENCE})+", password) is not None
    return match[0] if is_reference else f"{match['start']}:{MASK}@"
