"""What a figure of the report is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

if TYPE_CHECKING:
    import altair as alt

T = TypeVar("T")

MOST_POINTS = 1500
"""Of one figure: of more, the report would be large and slow, and nobody would see them all."""


@dataclass(frozen=True)
class Figure:
    """One chart, defined once: live in `report.html`, and as `plots/<name>.png`."""

    name: str
    title: str
    caption: str
    """What is seen, and what kind its intervals are."""
    chart: alt.TopLevelMixin
    height: int
    cell_width: int | None = None
    """Width of one small multiple; None for a single chart, which fills what width there is."""


def thin(rows: Sequence[T], most: int = MOST_POINTS) -> list[T]:
    """At most `most` of the rows, evenly over all."""
    if len(rows) <= most:
        return list(rows)
    return [rows[index * len(rows) // most] for index in range(most)]


def thinned(shown: Sequence[Any], rows: Sequence[Any]) -> str:
    """What a caption says of rows that were left out; empty where none were."""
    return f" Shown are {len(shown):,} of {len(rows):,} trials." if len(shown) < len(rows) else ""
