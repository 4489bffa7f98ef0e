"""Trials that advance together from one evaluation to the next: as one batched model, or in turn."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdsearch.search.slot_run import SlotRun

if TYPE_CHECKING:
    from kdsearch.distiller import Distiller
    from kdsearch.distiller import EvaluationSet
    from kdsearch.distiller import NonFiniteLossError
    from kdsearch.distiller.packed import PackedDistiller


class Lockstep:
    """The students of some trials, each of which may have several (replicates)."""

    def __init__(self, runs: Sequence[SlotRun], *, batched: bool) -> None:
        """`batched` where they are to be trained as one as long as they can be (`can_pack`)."""
        self._run_of = {distiller: run for run in runs for distiller in run.distillers}
        self._batched = batched and len(self._run_of) > 1
        self._pack: PackedDistiller | None = None

    @property
    def step(self) -> int:
        """Up to which all have been trained."""
        return min((distiller.step for distiller in self._run_of), default=0)

    def advance(self, until_step: int, must_pause: Callable[[], bool]) -> dict[SlotRun, NonFiniteLossError]:
        """Train up to `until_step`, or to the first step after `must_pause` says so; those whose loss is not finite.

        Raises:
            NonFiniteLossError: where they are trained in turn, which is one trial's.
        """
        if self._pack is None:
            self._pack = self._packed()
        if self._pack is not None:
            return self._by_run(self._pack.advance(until_step, must_pause))
        for distiller in self._run_of:
            if distiller.step < until_step:
                distiller.advance(until_step, must_pause)
                if must_pause():
                    break
        return {}

    def evaluate(self, data: Mapping[SlotRun, EvaluationSet], step: int) -> dict[SlotRun, NonFiniteLossError]:
        """Score those that have not been at `step`; those whose outputs are not finite."""
        waiting = [d for d in self._run_of if d.step == step and not d.is_evaluated]
        if not waiting:
            return {}
        if self._pack is not None:
            return self._by_run(self._pack.evaluate([data[self._run_of[d]] for d in self._pack.distillers]))
        for distiller in waiting:
            distiller.evaluate(data[self._run_of[distiller]])
        return {}

    def _packed(self) -> PackedDistiller | None:
        """All as one. Replicates that were stopped in turn stand apart, and can be one where they have met again."""
        from kdsearch.distiller.packed import PackedDistiller
        from kdsearch.distiller.packed import can_pack

        distillers = list(self._run_of)
        return PackedDistiller(distillers) if self._batched and can_pack(distillers) else None

    def _by_run(self, failures: Mapping[Distiller, NonFiniteLossError]) -> dict[SlotRun, NonFiniteLossError]:
        return {self._run_of[distiller]: error for distiller, error in failures.items()}
