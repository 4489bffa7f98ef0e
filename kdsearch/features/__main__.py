"""`python -m kdsearch.features`: every feature objective, its paper, and what it takes: bounds, defaults, ranges."""

from __future__ import annotations

from kdsearch.features.spec import FEATURE_SPECS
from kdsearch.features.spec import FeatureSpec
from kdsearch.objectives.__main__ import parameter_line


def describe(spec: FeatureSpec) -> str:
    lines = [parameter_line(parameter) for parameter in (spec.weight, *spec.parameters)]
    if spec.is_trainable:
        lines.append("has a regressor, which is trained with the student")
    if spec.needs_maps:
        lines.append("needs feature maps [C, H, W]")
    return "\n".join([f"{spec.name}: {spec.paper}", *(f"    {line}" for line in lines)])


if __name__ == "__main__":
    print("\n".join(describe(spec) for spec in FEATURE_SPECS.values()))
