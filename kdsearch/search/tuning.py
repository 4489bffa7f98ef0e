"""Ray Tune's side of an attempt: thin adaptors that hand everything to `Attempt`.

A fresh Tuner per attempt, on local scratch that is thrown away: the ledger is what survives. One Tune trial carries one
pack, in one of few long-lived worker processes (`reuse_actors`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from ray import tune
from ray.exceptions import ActorUnavailableError
from ray.exceptions import OutOfMemoryError
from ray.exceptions import RayActorError
from ray.exceptions import RayTaskError
from ray.tune import Stopper
from ray.tune.schedulers import FIFOScheduler
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from kdsearch.config.schema import ResourcesConfig
from kdsearch.search.attempt import Attempt
from kdsearch.search.board import BOARD_LOST
from kdsearch.search.pack import Judgement
from kdsearch.search.pack import Pack
from kdsearch.search.pack import decode_message
from kdsearch.search.shared import NodeLeaving
from kdsearch.search.shared import WorkerContext
from kdsearch.search.worker import run_pack

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial

    from kdsearch.search.board import BoardHandle

STOP_GRACE = 8.0
"""Seconds that running trials have to checkpoint themselves before their workers are ended."""


class _Unpickled:
    """Tune pickles what it is given into its scratch folder; ours is never read back and holds open connections."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class LedgerSearcher(_Unpickled, Searcher):
    """Suggests the attempt's next pack."""

    def __init__(self, attempt: Attempt, packs: dict[str, Pack], room: Callable[[], int]) -> None:
        super().__init__()
        self._attempt = attempt
        self._packs = packs
        self._room = room

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        if self._attempt.is_finished or self._attempt.stop_reason is not None:
            return Searcher.FINISHED
        if len(self._packs) >= self._room():
            return None
        pack = self._attempt.next_pack()
        if pack is None:
            return Searcher.FINISHED if self._attempt.is_finished else None
        self._packs[trial_id] = pack
        return {"pack": pack.encode()}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self._packs.pop(trial_id, None)

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


class LedgerScheduler(_Unpickled, FIFOScheduler):
    """Passes reports on to the attempt, and its verdicts back to the workers."""

    def __init__(self, attempt: Attempt, packs: dict[str, Pack], board: BoardHandle) -> None:
        super().__init__()
        self._attempt = attempt
        self._packs = packs
        self._board = board

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        # A trial that has ended for us goes on in its successor: what its worker still says counts no more.
        if trial.trial_id in self._packs and "message" in result and not result.get("done"):
            for item in decode_message(result["message"]):
                if isinstance(item, Judgement):
                    self._answer(item)
                else:
                    self._attempt.finish(item)
            if self._attempt.stop_reason is not None:
                # Before the report returns: the worker keeps the checkpoints of a result that the ledger did not take.
                self._tell_board(self._board.stop)
        return TrialScheduler.CONTINUE

    def _answer(self, judgement: Judgement) -> None:
        prune = self._attempt.judge(judgement)
        self._tell_board(self._board.put_verdict, judgement.key, judgement.step, prune)

    def _tell_board(self, method: Any, *args: Any) -> None:
        import ray

        try:
            ray.get(method.remote(*args))
        except RayActorError:
            self._attempt.stop(BOARD_LOST)

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        error = _error_of(trial)
        pack = self._packs.get(trial.trial_id)
        for slot in pack.slots if pack else ():
            if is_leave(error):
                self._attempt.take_back(slot.key)
            else:
                self._attempt.lose(slot.key, describe(error), blame=not is_loss(error))


class _Grace(_Unpickled, Stopper):
    """Ends every worker when the attempt has been stopping for longer than its trials had time to checkpoint."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._since: float | None = None

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        if self._attempt.stop_reason is None:
            return False
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since > STOP_GRACE


class _Pulse(_Unpickled, tune.Callback):
    def __init__(self, on_step: Callable[[], None]) -> None:
        self._on_step = on_step

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self._on_step()


def run_tuner(
    attempt: Attempt,
    context: WorkerContext,
    resources: ResourcesConfig,
    *,
    room: Callable[[], int],
    scratch: Path,
    on_step: Callable[[], None] = lambda: None,
) -> None:
    """Train until the attempt is finished.

    Args:
        room: how many packs may be out at once; asked before each goes out.
        scratch: a folder that Tune writes into.
        on_step: called several times a second.
    """
    packs: dict[str, Pack] = {}
    trainable = tune.with_resources(
        tune.with_parameters(run_pack, context=context),
        {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial},
    )
    tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=LedgerSearcher(attempt, packs, room),
            scheduler=LedgerScheduler(attempt, packs, context.board),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="attempt",
            storage_path=str(scratch),
            verbose=0,
            stop=_Grace(attempt),
            failure_config=tune.FailureConfig(max_failures=0),
            callbacks=[_Pulse(on_step)],
        ),
    ).fit()


def _error_of(trial: Trial) -> Exception | None:
    """What ended the trial's worker. (Tune's own getters look where it has not been synced to yet.)"""
    from ray import cloudpickle

    try:
        error: Exception = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    except (OSError, TypeError):
        return trial.get_error()
    return error


def is_leave(error: Exception | None) -> bool:
    """Whether the worker checkpointed its trials and left a node that is about to be taken away."""
    return isinstance(error, RayTaskError) and isinstance(error.cause, NodeLeaving)


def is_loss(error: Exception | None) -> bool:
    """Whether the worker was lost through no fault of its trial: its node died, was cut off or was taken back.

    A worker that dies by itself is reported dead by its node; one whose node says nothing is only unavailable.
    """
    if isinstance(error, RayTaskError):
        # The worker itself found the driver's side gone.
        return isinstance(error.cause, RayActorError)
    if isinstance(error, ActorUnavailableError):
        return True
    if not isinstance(error, RayActorError):
        return False
    text = str(error)
    return error.preempted or "node was terminated" in text or "node has died" in text or "health check" in text


def describe(error: Exception | None) -> str:
    if error is None:
        return "the worker died"
    if isinstance(error, OutOfMemoryError):
        return "the worker was ended because the node ran out of memory"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = [line for line in lines if "exit" in line.lower() or "died" in line.lower()]
    return (cause or lines or [type(error).__name__])[-1]
