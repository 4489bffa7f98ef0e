"""Markdown from words that may hold anything: names of sweeps, models and data are the user's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Sequence

_MARKUP = re.compile(r"[^\w .,;:=%+±≈≤×–()'…-]|_|:(?! )|(?<=www)\.", re.IGNORECASE)
"""What may mean something; addresses become links by themselves."""


def escape(text: str) -> str:
    """`text` as it is read: no markup, link, image or HTML begins in it, and no line ends."""
    return _MARKUP.sub(lambda found: _entity(found.group()), text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its cells are escaped."""
    lines = [_line(map(escape, header)), _line(["---"] * len(header)), *(_line(map(escape, row)) for row in rows)]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _entity(char: str) -> str:
    return " " if char.isspace() else f"&#{ord(char)};"
