"""What a running sweep shows at one moment, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum


class Phase(StrEnum):
    STARTING = "starting Ray"
    TEACHER = "training teacher"
    SEARCHING = "searching"
    CONFIRMING = "confirming"
    STOPPING = "stopping"
    DONE = "done"

    @property
    def runs_trials(self) -> bool:
        return self in (Phase.SEARCHING, Phase.CONFIRMING)


@dataclass(frozen=True)
class Best:
    label: str
    """The recipe, for people: `kl T=4.2 a=0.80`."""
    value: float


@dataclass(frozen=True)
class CountRow:
    """One sample count: its trials of all kinds by state, and the best searched recipe against labels only."""

    sample_count: int
    complete: int = 0
    running: int = 0
    pruned: int = 0
    failed: int = 0
    target: int = 0
    best: Best | None = None
    labels: float | None = None

    @property
    def done(self) -> int:
        return self.complete + self.pruned + self.failed


@dataclass(frozen=True)
class ProgressSnapshot:
    phase: Phase
    counts: tuple[CountRow, ...] = ()
    target: int = 0
    done: int = 0
    elapsed: float = 0.0
    """Seconds since the attempt began."""
    metric: str = "val_accuracy"
    """What `best` and `labels` are."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """How many trials failed, by reason."""
    message: str = ""
    """One more line for the user, such as what is being loaded."""

    @property
    def running(self) -> int:
        return sum(row.running for row in self.counts)

    @property
    def pruned(self) -> int:
        return sum(row.pruned for row in self.counts)

    @property
    def failed(self) -> int:
        return sum(row.failed for row in self.counts)
