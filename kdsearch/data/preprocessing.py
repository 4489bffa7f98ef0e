"""How a data set's inputs are made from raw samples, as plain values for whoever uses a student elsewhere.

`kind` says which: of `pixels` and `images`, x = (pixel / divisor - mean) / deviation, channel by channel, as
[channels, height, width]; of `columns`, the numeric ones as (value - mean) / deviation, then one column for each value
of the categorical ones; of `words`, the ids that a tokenizer (the library `tokenizers`) gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from kdsearch.data.image_files import ImageFormat


def of_pixels(divisor: float, mean: Sequence[float], deviation: Sequence[float]) -> dict[str, Any]:
    """Images of one size; `mean` and `deviation` of each channel, on the scale after division."""
    return {"kind": "pixels", "divisor": divisor, "mean": list(mean), "deviation": list(deviation)}


def of_images(format_: ImageFormat) -> dict[str, Any]:
    """Images of any size: the shorter side is resized to `size` (bilinear, antialiased), the longer one cut."""
    return {
        "kind": "images",
        "size": format_.size,
        "color": "L" if len(format_.mean) == 1 else "RGB",
        "divisor": 255,
        "mean": list(format_.mean),
        "deviation": list(format_.deviation),
    }


def of_columns(
    numeric: Sequence[str], mean: Sequence[float], deviation: Sequence[float], categories: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """A table, its columns in the order of the inputs."""
    return {
        "kind": "columns",
        "numeric": [
            {"column": name, "mean": float(center), "deviation": float(spread)}
            for name, center, spread in zip(numeric, mean, deviation, strict=True)
        ],
        "categorical": [
            {"column": name, "values": [_plain(value) for value in values]} for name, values in categories.items()
        ],
    }


def of_words(tokenizer: str) -> dict[str, Any]:
    """Texts: `tokenizer` is the JSON of `tokenizers.Tokenizer.to_str`, padding and truncation included."""
    return {"kind": "words", "tokenizer": tokenizer}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else str(value)
