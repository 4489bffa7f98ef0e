"""What runs in a worker process: one pack of trials, from its first step (or its checkpoints) to its outcomes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.ledger.records import Reason
from kdsearch.search.lockstep import Lockstep
from kdsearch.search.pack import Judgement
from kdsearch.search.pack import Outcome
from kdsearch.search.pack import Pack
from kdsearch.search.pack import encode_message
from kdsearch.search.prepare import keep_to_share
from kdsearch.search.prepare import training_devices
from kdsearch.search.shared import NodeLeaving
from kdsearch.search.shared import StopPoll
from kdsearch.search.shared import WorkerContext
from kdsearch.search.shared import validation_set_of
from kdsearch.search.shared import wait_for_data
from kdsearch.search.slot_run import Checkpointing
from kdsearch.search.slot_run import SlotRun
from kdsearch.search.slot_run import StorageError

if TYPE_CHECKING:
    from kdsearch.distiller import NonFiniteLossError


def run_pack(config: dict[str, Any], context: WorkerContext) -> None:
    """The function that Ray Tune calls: train every slot of the pack and report how each ended."""
    import torch

    torch.set_num_threads(context.threads)
    keep_to_share(context.gpus)
    pack = Pack.decode(config["pack"])
    if wait_for_data(context):
        PackRun(pack, context).run()
    else:
        # There is nothing wrong with the trials: the driver knows what is.
        _report([Outcome(slot.key, None) for slot in pack.slots])


def _report(message: Sequence[Judgement] | Sequence[Outcome]) -> None:
    from ray import tune

    if message:
        tune.report({"message": encode_message(message)})


class PackRun:
    """The trials of one pack: together as long as they can be trained as one, else one after the other."""

    def __init__(self, pack: Pack, context: WorkerContext) -> None:
        self._context = context
        devices = training_devices(context.training.device, context.gpus)
        self._device = devices[0]
        self._stopping = StopPoll(context.board)
        self._is_due = Checkpointing(context.checkpoint_seconds)
        self._batched = pack.batched
        self._runs = [SlotRun(slot, pack.attempt, context, devices, self._stopping) for slot in pack.slots]

    def run(self) -> None:
        """Train, and report how each trial ended. What a trial's own code raises is its failure, not the worker's."""
        ready = []
        for run in self._runs:
            outcome = self._guarded(run)
            if outcome is None:
                ready.append(run)
            else:
                self._report_ends([(run, outcome)])
        for group in self._groups(ready):
            self._train(group)

    def _guarded(self, run: SlotRun) -> Outcome | None:
        """Prepare a trial; how it ended where that was all."""
        try:
            return None if run.prepare() else run.suspended()
        except Exception as error:
            return _failure(run, error)

    def _groups(self, runs: list[SlotRun]) -> Iterator[list[SlotRun]]:
        """Those that can be trained as one, by where they stand."""
        from kdsearch.distiller.packed import can_pack

        if not self._batched:
            yield from ([run] for run in runs)
            return
        by_place: dict[tuple[int, str | None], list[SlotRun]] = {}
        for run in runs:
            by_place.setdefault((run.step, run.slot.recipe.student), []).append(run)
        for group in by_place.values():
            if can_pack([distiller for run in group for distiller in run.distillers]):
                yield group
            else:
                yield from ([run] for run in group)

    def _train(self, runs: list[SlotRun]) -> None:
        from ray.exceptions import RayActorError

        left = list(runs)
        try:
            self._train_together(left)
        except (RayActorError, NodeLeaving):
            # The driver's side is gone, or this node goes: nothing is wrong with the trials.
            raise
        except Exception as error:
            if len(left) > 1:
                # Which of them it was shows when each is trained on its own.
                self._batched = False
                for run in left:
                    outcome = self._guarded(run)
                    if outcome is None:
                        self._train([run])
                    else:
                        self._report_ends([(run, outcome)])
            elif left:
                self._report_ends([(left[0], _failure(left[0], error))])

    def _train_together(self, left: list[SlotRun]) -> None:
        """Train those in `left`; each is taken from there when it has ended and was reported."""
        lockstep = self._lockstep(left)
        for step in left[0].evaluation_steps:
            failures = self._advance(lockstep, left, step)
            if failures is None:
                for run in left:
                    run.save()
                self._end(left, [(run, run.suspended()) for run in left])
                return
            lockstep = self._without(failures, left, lockstep)
            lockstep = self._without(lockstep.evaluate(self._validation_sets(left), step), left, lockstep)
            if self._judge(left, step):
                lockstep = self._lockstep(left)
            if not left:
                return
        self._end(left, [(run, run.completed()) for run in left])

    def _without(
        self, failures: dict[SlotRun, NonFiniteLossError], left: list[SlotRun], lockstep: Lockstep
    ) -> Lockstep:
        """End those that failed; the others go on."""
        if not failures:
            return lockstep
        self._end(left, [(run, run.failed(Reason.NON_FINITE, str(error))) for run, error in failures.items()])
        return self._lockstep(left)

    def _lockstep(self, runs: list[SlotRun]) -> Lockstep:
        return Lockstep(runs, batched=self._batched)

    def _validation_sets(self, runs: list[SlotRun]) -> dict[SlotRun, Any]:
        return {run: validation_set_of(self._context.data, run.slot.recipe.teacher, self._device) for run in runs}

    def _advance(self, lockstep: Lockstep, runs: list[SlotRun], step: int) -> dict[SlotRun, NonFiniteLossError] | None:
        """Train up to `step`, checkpointing when it is time: those that failed; None when they are to be suspended."""
        failures: dict[SlotRun, NonFiniteLossError] = {}
        while lockstep.step < step:
            failures |= lockstep.advance(step, self._must_pause)
            if self._stopping() and lockstep.step < step:
                return None
            if self._is_due.is_due():
                for run in runs:
                    run.save()
                self._is_due.start()
        return failures

    def _must_pause(self) -> bool:
        return self._stopping() or self._is_due.is_due()

    def _judge(self, left: list[SlotRun], step: int) -> bool:
        """Ask about those that are judged at `step`, and end the ones that are to be pruned; whether there were any."""
        import ray

        asked = [(run, judgement) for run in left if (judgement := run.judgement(step)) is not None]
        _report([judgement for _, judgement in asked])
        board = self._context.board
        verdicts = ray.get([board.take_verdict.remote(j.key, j.step) for _, j in asked])
        pruned = [run for (run, _), prune in zip(asked, verdicts, strict=True) if prune]
        self._end(left, [(run, run.pruned(step)) for run in pruned])
        return bool(pruned)

    def _end(self, left: list[SlotRun], ends: Sequence[tuple[SlotRun, Outcome]]) -> None:
        self._report_ends(ends)
        ended = [run for run, _ in ends]
        left[:] = [run for run in left if run not in ended]

    def _report_ends(self, ends: Sequence[tuple[SlotRun, Outcome]]) -> None:
        """Report how trials ended; then their checkpoints go, unless the sweep stops.

        The driver has handled a report when it returns, and had said that the sweep stops where the ledger did not take
        a result. What is left then is removed by the next attempt.
        """
        _report([outcome for _, outcome in ends])
        ended = [run for run, outcome in ends if outcome.result is not None]
        if ended and not self._stopping.is_stopping():
            for run in ended:
                run.discard_checkpoints()


def _failure(run: SlotRun, error: Exception) -> Outcome:
    """How a trial ends that raised `error`."""
    from ray.exceptions import RayActorError

    from kdsearch.distiller import NonFiniteLossError

    if isinstance(error, RayActorError | NodeLeaving):
        # The driver's side is gone, or this node goes: nothing is wrong with the trial.
        raise error
    if isinstance(error, NonFiniteLossError):
        return run.failed(Reason.NON_FINITE, str(error))
    if isinstance(error, StorageError):
        return run.failed(Reason.STORAGE, str(error))
    reason = Reason.OUT_OF_MEMORY if _is_out_of_memory(error) else Reason.USER_CODE
    return run.failed(reason, "".join(traceback.format_exception(error)))


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError)
