"""The chaos suite in short; `make chaos` runs it in full.

That kills change no bit is asserted in `tests/e2e/test_determinism.py`, on one machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.determinism import alone_problems
from tests.chaos.events import SHORT
from tests.chaos.events import Queue
from tests.chaos.suite import Chaos
from tests.services.stack import Stack

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


def test_whatever_dies_nothing_is_lost_and_nothing_is_there_twice(shared_stack: Stack, tmp_path: Path) -> None:
    chaos = Chaos(shared_stack, tmp_path, seed=0, queue=Queue(SHORT, seed=0), say=print)
    chaos.run()
    assert chaos.tally.done == SHORT == chaos.tally.recovered
    assert not chaos.problems


def test_each_trial_of_a_concurrent_sweep_gives_the_same_on_its_own(shared_stack: Stack, tmp_path: Path) -> None:
    assert not list(alone_problems(shared_stack, tmp_path, print))
