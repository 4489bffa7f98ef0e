"""From trials and their durations to hours, ends and prices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from kdsearch.config.schema import ResourcesConfig
from kdsearch.estimate.durations import Durations
from kdsearch.estimate.durations import Range

START_SECONDS = 20.0
"""Starting Ray and its workers, and training a small teacher."""
MOST_ROWS = 10


@dataclass(frozen=True)
class Node:
    """What one machine offers, and what it is called."""

    name: str
    cpus: float
    gpus: float = 0.0

    def slots(self, resources: ResourcesConfig) -> int:
        """How many trials, or packs, it trains at once."""
        by_cpu = int(self.cpus / resources.cpus_per_trial)
        share = resources.gpus_per_trial
        if share == 0:
            return by_cpu
        # A share below 1 does not span GPUs.
        by_gpu = int(self.gpus) * int(1 / share) if share < 1 else int(self.gpus / share)
        return min(by_cpu, by_gpu)


@dataclass(frozen=True)
class Price:
    """Of one node for an hour, in US dollars, and where it comes from."""

    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class Row:
    """With so many nodes: seconds until the end, and dollars for the nodes meanwhile."""

    nodes: int
    seconds: Range
    dollars: tuple[float, float] | None


@dataclass(frozen=True)
class Forecast:
    """What is left of a sweep."""

    trials: int
    work: Range
    """Seconds of a slot."""
    start: float
    """Seconds before the first trial."""
    longest: Range
    """Seconds of the longest trial."""
    resources: ResourcesConfig
    node: Node

    @property
    def gpu_hours(self) -> Range:
        return self.work.scaled(self.resources.gpus_per_trial / 3600)

    @property
    def cpu_hours(self) -> Range:
        return self.work.scaled(self.resources.cpus_per_trial / 3600)

    def row(self, nodes: int, price: Price | None = None) -> Row:
        """It ends no sooner than its longest trial and then that trial's confirmation do."""
        slots = nodes * self.node.slots(self.resources)
        if isinstance(self.resources.max_concurrent, int):
            slots = min(slots, self.resources.max_concurrent)
        at_least = 2 if self.trials else 0
        seconds = Range(
            *(
                self.start + max(work / slots, at_least * longest)
                for work, longest in zip(_values(self.work), _values(self.longest), strict=True)
            )
        )
        dollars = None
        if price is not None:
            hours = seconds.scaled(nodes / 3600)
            dollars = (hours.low * price.low, hours.high * price.high)
        return Row(nodes, seconds, dollars)

    def rows(self, most: int, price: Price | None = None) -> list[Row]:
        """For 1 to `most` nodes: all of them, or powers of two where they are many."""
        return [self.row(nodes, price) for nodes in node_counts(most)]


def forecast(
    left: Mapping[int, int], durations: Durations, resources: ResourcesConfig, node: Node, start: float = START_SECONDS
) -> Forecast:
    """`left`: trials that are not finished, by sample count."""
    work = Range(0.0, 0.0, 0.0)
    longest = Range(0.0, 0.0, 0.0)
    for count, trials in left.items():
        each = durations.of(count)
        work += each.scaled(trials)
        longest = max(longest, each, key=lambda found: found.middle) if trials else longest
    return Forecast(sum(left.values()), work, start, longest, resources, node)


def node_counts(most: int) -> Sequence[int]:
    if most <= MOST_ROWS:
        return range(1, most + 1)
    return [*(2**power for power in range(math.ceil(math.log2(most)))), most]


def to_dict(made: Forecast, rows: Sequence[Row], price: Price | None, basis: str) -> dict[str, Any]:
    """For scripts; hours, seconds and dollars, each as low, middle (where there is one) and high."""
    return {
        "trials": made.trials,
        "gpu_hours": asdict(made.gpu_hours),
        "cpu_hours": asdict(made.cpu_hours),
        "basis": basis,
        "node": {**asdict(made.node), "slots": made.node.slots(made.resources)},
        "price": None if price is None else asdict(price),
        "ends": [
            {
                "nodes": row.nodes,
                "seconds": asdict(row.seconds),
                "dollars": None if row.dollars is None else {"low": row.dollars[0], "high": row.dollars[1]},
            }
            for row in rows
        ],
    }


def _values(range_: Range) -> Iterator[float]:
    yield from (range_.low, range_.middle, range_.high)
