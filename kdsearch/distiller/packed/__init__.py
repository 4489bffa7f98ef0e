"""Several students trained as one batched model: same network, batch size and steps, everything else their own."""

from __future__ import annotations

from kdsearch.distiller.packed.pack import PackedDistiller
from kdsearch.distiller.packed.pack import can_pack

__all__ = ["PackedDistiller", "can_pack"]
