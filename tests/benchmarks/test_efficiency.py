"""The comparison of searches: equal cost."""

from __future__ import annotations

from tests.benchmarks.efficiency.__main__ import TRIALS_PRUNED
from tests.benchmarks.efficiency.compare import EPOCHS
from tests.benchmarks.efficiency.compare import Cell
from tests.benchmarks.efficiency.compare import search


def test_a_search_that_prunes_trains_until_it_has_cost_as_much() -> None:
    found = search("digits", Cell("random", "successive_halving", False, TRIALS_PRUNED), 0)
    assert EPOCHS <= found.epochs[-1] < EPOCHS + 1
    assert list(found.epochs) == sorted(found.epochs)
