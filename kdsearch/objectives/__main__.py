"""`python -m kdsearch.objectives`: every objective, its paper, and what it takes: bounds, defaults, ranges."""

from __future__ import annotations

from kdsearch.objectives.spec import SPECS
from kdsearch.objectives.spec import ObjectiveSpec
from kdsearch.objectives.spec import Parameter


def describe(spec: ObjectiveSpec) -> str:
    lines = [f"    {parameter_line(parameter)}" for parameter in spec.parameters]
    return "\n".join([f"{spec.name}: {spec.paper}", *lines])


def parameter_line(parameter: Parameter) -> str:
    if parameter.switch:
        return f"{parameter.name:<20} true or false"
    searched = f"{parameter.low:g} to {parameter.high:g}{', log' if parameter.log else ''}"
    return f"{parameter.name:<20} {parameter.allowed}, default {parameter.default:.3g}, searched {searched}"


if __name__ == "__main__":
    print("\n".join(describe(spec) for spec in SPECS.values()))
