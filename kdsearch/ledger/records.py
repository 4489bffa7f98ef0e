"""What the ledger says about a sweep and its trials, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from kdsearch.recipe import Recipe


class TrialState(StrEnum):
    """Optuna's states. WAITING: to be run or continued; RUNNING: with a worker (or left by a dead driver)."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"

    @property
    def is_finished(self) -> bool:
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class Kind(StrEnum):
    SEARCH = "search"
    CONTROL = "control"
    CONFIRM = "confirm"


class Reason(StrEnum):
    """Why a trial ended as FAIL."""

    NON_FINITE = "non_finite"
    OUT_OF_MEMORY = "out_of_memory"
    USER_CODE = "user_code"
    CRASHED = "crashed"
    STORAGE = "storage"
    DROPPED = "dropped"
    """It was under way when the sweep was changed, and is no longer part of it: nothing went wrong."""


@dataclass(frozen=True)
class Point:
    """The metrics of one evaluation: after `epoch` passes over the samples, at `time` (ms since 1970)."""

    epoch: int
    time: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TrialRecord:
    """One row of the ledger."""

    study: str
    number: int
    kind: Kind
    sample_count: int
    state: TrialState
    recipe: Recipe
    params: Mapping[str, Any]
    """The searched parameters under plain names; empty for controls and confirmations."""
    seed: int
    subset_seed: int
    control: str | None = None
    """A control's name (`labels`, `label_smoothing`, `label_smoothing=0.05`, `kl_t1`), also on its confirmations."""
    confirms: str | None = None
    """On a confirmation: the key of the search or control trial whose recipe it trains again."""
    replicate: int | None = None
    """On a confirmation: which of the fresh seeds (0, 1, …); the same index means the same subset."""
    value: float | None = None
    """The search metric, mean over replicates."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Final metrics: `val_accuracy`, `val_nll`, `train_loss`, …; confirmations also `test_accuracy`, `test_nll`,
    `test_noise_accuracy_0.3`, `membership_auc`, …"""
    reason: Reason | None = None
    error: str | None = None
    attempts: tuple[int, ...] = ()
    restarts: int = 0
    """How often it took its worker down; more than `max_restarts` makes it FAIL."""
    losses: int = 0
    """How often its worker was lost through no fault of its own: its node died or was taken back."""
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def key(self) -> str:
        return f"{self.study}#{self.number}"

    @property
    def is_dropped(self) -> bool:
        return self.reason is Reason.DROPPED

    @property
    def failure(self) -> str | None:
        """Why it failed, in a word; None where nothing went wrong."""
        if self.state is not TrialState.FAIL or self.is_dropped:
            return None
        return self.reason.value if self.reason else "error"

    @property
    def label(self) -> str:
        """What people call it, without its sample count: `kl T=4.2 a=0.80`, `label_smoothing=0.05`, `labels seed 2`."""
        fixed = self.control if self.control and not self.params else None
        name = fixed or self.recipe.label()
        return name if self.replicate is None else f"{name} seed {self.replicate}"


class SweepState(StrEnum):
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    COMPLETE = "complete"


@dataclass(frozen=True)
class AttemptRecord:
    """One driver process's life on a sweep."""

    number: int
    host: str
    pid: int
    started: datetime
    ended: datetime | None
    outcome: str | None
    """Why it ended: `complete`, `interrupted`, `terminated`, `too many failures`, `died`, …; None while it lives."""


@dataclass(frozen=True)
class SweepRecord:
    """One sweep as the ledger knows it."""

    name: str
    uid: str
    state: SweepState
    config: Mapping[str, Any]
    """The composed configuration as stored, secrets still references."""
    target: int
    created: datetime
    attempts: tuple[AttemptRecord, ...] = ()
    teacher: Mapping[str, Any] = field(default_factory=dict)
    """The teacher's `hash`, `sample_count`, `val_accuracy`, …, and the last attempt's `fingerprint`."""
    search_seconds: float = 0.0
    """What all attempts together have used of `time_budget`."""

    def seconds_used(self, now: datetime | None = None) -> float:
        """The time of all attempts together. A living one counts up to `now`, and not at all without it.

        One whose clock was set back meanwhile counts as no time rather than as less than none.
        """
        spans = [((attempt.ended or now), attempt.started) for attempt in self.attempts]
        return sum(max(0.0, (ended - started).total_seconds()) for ended, started in spans if ended is not None)
