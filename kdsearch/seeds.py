"""Seeds derived from names, so that no two uses of randomness share a stream and none depends on call order."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *parts: str | int) -> int:
    """A seed in [0, 2^63) that depends on `seed` and every part, the same in every process and on every machine."""
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
