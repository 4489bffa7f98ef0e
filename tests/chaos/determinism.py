"""What may not depend on what happened, or on what ran beside it: parameters and metrics, to the bit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

from kdsearch.sweep import Sweep
from tests.e2e.alone import Alone
from tests.e2e.harness import Workplace
from tests.e2e.harness import outline
from tests.services.stack import Stack

ONE_AT_A_TIME = (
    "resources.max_concurrent=1",
    "pruner=successive_halving",
    "sample_counts=[20,50]",
    "trials_per_count=10",
    "training.steps=2000",
)
CONCURRENT = ("sample_counts=[20,50]", "trials_per_count=6", "training.steps=400", "resources.trials_per_worker=1")
"""Packed students differ from those trained alone in the last digits."""
KILL_WITHIN = 12.0
"""Seconds: from before Ray is there to some trials later."""


def problems(stack: Stack, folder: Path, seed: int, kills: int, say: Callable[[str], None]) -> list[str]:
    found = [*killed_problems(stack, folder, seed, kills, say), *alone_problems(stack, folder, say)]
    for problem in found:
        say(problem)
    return found


def killed_problems(stack: Stack, folder: Path, seed: int, kills: int, say: Callable[[str], None]) -> Iterator[str]:
    """Sweeps of one trial at a time, killed `kills` times together, against one that was left alone."""
    straight = _workplace(stack, folder / "straight")
    straight.sweep(*ONE_AT_A_TIME)
    expected = outline(straight.load())
    moments = random.Random(seed)
    left, sweeps = kills, 0
    while left:
        sweeps += 1
        killed = _workplace(stack, folder / f"killed-{sweeps}")
        before, is_done = left, False
        while not is_done:
            driver = killed.start_sweep(*ONE_AT_A_TIME)
            if left:
                time.sleep(moments.uniform(0, KILL_WITHIN))
            if left and driver.poll() is None:
                driver.kill()
                left -= 1
            output, _ = driver.communicate()
            is_done = driver.returncode == 0
            if driver.returncode not in (0, -9):
                yield f"the driver ended with exit code {driver.returncode}: {output[-1500:]}"
                return
        say(f"one trial at a time: {len(expected)} trials, killed {before - left} times")
        if outline(killed.load()) != expected:
            yield f"a sweep killed {before - left} times differs from one that was not: {killed.folder}"


def alone_problems(stack: Stack, folder: Path, say: Callable[[str], None]) -> Iterator[str]:
    """Each trial of a concurrent sweep, trained again on its own from its stored config."""
    workplace = _workplace(stack, folder / "concurrent")
    workplace.sweep(*CONCURRENT)
    sweep = workplace.load()
    again = metrics_alone(sweep)
    yield from (f"{r.key} on its own gives other metrics" for r in sweep.records if again[r.key] != r.metrics)
    say(f"trained again on their own: {len(again)} trials")


def metrics_alone(sweep: Sweep) -> dict[str, dict[str, float]]:
    """The final metrics of every trial of a sweep without a pruner, trained here, one after the other."""
    alone = Alone(sweep)
    return {record.key: alone.metrics(record, record.seed) for record in sweep.records}


def _workplace(stack: Stack, folder: Path) -> Workplace:
    """A local storage, ledger and MLflow database, on the cluster of the services."""
    folder.mkdir()
    return Workplace(
        folder, stack.cluster.address, environment={"RAY_AUTH_MODE": "disabled"}, module="tests.chaos.driver"
    )
