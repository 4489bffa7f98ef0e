"""Figures as Vega-Lite specs for a page, as PNG files, and the JavaScript that makes the specs live."""

from __future__ import annotations

import functools
from typing import Any

from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.theme import CONFIG

PNG_WIDTH = 760
"""Of a single chart, before it is scaled."""
PNG_SCALE = 2


def spec(figure: Figure) -> dict[str, Any]:
    """For vega-embed: a single chart is as wide as the page lets it be."""
    found: dict[str, Any] = figure.chart.to_dict()
    found["config"] = CONFIG
    if figure.cell_width is None:
        found |= {"width": "container", "height": figure.height}
    return found


def png(figure: Figure) -> bytes:
    import vl_convert

    found = spec(figure)
    if figure.cell_width is None:
        found["width"] = PNG_WIDTH
    image: bytes = vl_convert.vegalite_to_png(found | {"padding": 12}, vl_version=vega_lite_version(), scale=PNG_SCALE)
    return image


@functools.cache
def javascript() -> str:
    """Vega, Vega-Lite and vega-embed in one piece, which defines `vegaEmbed`; needs no network."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(vl_version=vega_lite_version())
    # Inside an HTML script nothing may look like its end.
    return bundle.replace("</script", "<\\/script")


@functools.cache
def vega_lite_version() -> str:
    """The version whose specs Altair writes, or the newest that can be drawn."""
    import altair as alt
    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    there = [version.removeprefix("v") for version in vl_convert.get_vegalite_versions()]
    return wanted if wanted in there else there[-1]
