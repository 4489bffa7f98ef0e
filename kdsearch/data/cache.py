"""Where downloads are kept, and what is said of those that fail."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """One per user, shared by all sweeps."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kdsearch"


def one_line(error: BaseException) -> str:
    """What a library says, without line breaks."""
    return " ".join(str(error).split())
