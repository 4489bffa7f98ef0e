"""Figures as Vega-Lite specs for a page, as PNG files, and the JavaScript that makes the specs live."""

from __future__ import annotations

import functools
from typing import Any

from kdsearch.report.figures.figure import Figure
from kdsearch.report.figures.theme import CONFIG
from kdsearch.report.finite import finite

PNG_WIDTH = 760
"""Of a single chart, before it is scaled."""
PNG_SCALE = 2


def spec(figure: Figure) -> dict[str, Any]:
    """For vega-embed: a single chart is as wide as the page lets it be."""
    # Altair has checked every part already; checking the whole once more takes most of its time.
    found: dict[str, Any] = finite(figure.chart.to_dict(validate=False))
    found["config"] = CONFIG
    if figure.cell_width is None:
        found |= {"width": "container", "height": figure.height}
    return found


def png(spec: dict[str, Any]) -> bytes:
    """The picture of a spec that `spec` gave."""
    import vl_convert

    found = spec | {"padding": 12}
    if found.get("width") == "container":
        found["width"] = PNG_WIDTH
    image: bytes = vl_convert.vegalite_to_png(found, vl_version=vega_lite_version(), scale=PNG_SCALE)
    return image


@functools.cache
def javascript() -> str:
    """Vega, Vega-Lite and vega-embed in one piece, which defines `vegaEmbed`; needs no network."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=vega_lite_version())
    # Inside an HTML script nothing may look like its end.
    return bundle.replace("</script", "<\\/script")


@functools.cache
def vega_lite_version() -> str:
    """The version whose specs Altair writes, or the newest that can be drawn."""
    import altair as alt
    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    there: list[str] = [version.removeprefix("v") for version in vl_convert.get_vegalite_versions()]
    return wanted if wanted in there else there[-1]
