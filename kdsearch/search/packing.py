"""How many trials go out together, to be trained as one batched model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from kdsearch.config.schema import SweepConfig
from kdsearch.config.schema import TrainingConfig
from kdsearch.data import DatasetInfo
from kdsearch.ledger import TrialRecord
from kdsearch.models.pack_size import pack_size

MAIN = "student"
"""What the sweep's own student is called in the record."""

SEARCH_ROUNDS = 5
"""A study is asked for its trials in at least so many rounds: what was asked for together has not learned from it."""


@dataclass(frozen=True)
class Packing:
    """The default packs nothing."""

    sizes: Mapping[str | None, int] = field(default_factory=dict)
    """The largest pack of each student, by the name under which a recipe has it."""
    slots: int = 1
    """How many packs are trained at a time."""
    in_students: bool = False
    """Whether the sizes count students, as the measured ones do: a trial has one for each of its replicates."""

    recorded: Mapping[str, int] = field(default_factory=dict)
    """What `auto` means for each student, to be stored with the sweep; its own student is called MAIN."""

    @classmethod
    def of(
        cls, config: SweepConfig, data: DatasetInfo, slots: int, recorded: Mapping[str, int] | None = None
    ) -> Packing:
        """What the configuration asks for: a number, or `auto`.

        `recorded` is what an earlier attempt has stored: `auto` stays what it was.
        """
        students = [(None, config.student), *config.students.items()]
        auto = {name or MAIN: pack_size(student, data.input_shape, data.class_count) for name, student in students}
        auto |= recorded or {}
        if not _is_plain(config.training) or config.resources.gpus_per_trial > 1:
            return cls(slots=slots, recorded=auto)
        wanted, most = config.resources.trials_per_worker, config.resources.max_concurrent
        sizes = {name: auto[name or MAIN] if wanted == "auto" else wanted for name, _ in students}
        if most != "auto":
            sizes = {name: min(size, max(1, most // slots)) for name, size in sizes.items()}
        return cls(sizes, slots, wanted == "auto", auto)

    def is_batched(self, student: str | None) -> bool:
        """Whether students of the kind are trained as one batched model, a trial's replicates among them."""
        return self.sizes.get(student, 1) > 1

    @property
    def largest(self) -> int:
        """The most trials in a pack."""
        return max(self.sizes.values(), default=1)

    def room(self, record: TrialRecord, replicates: int, available: int, searched: int | None) -> int:
        """How many trials may go out together with `record`, itself among them.

        Args:
            replicates: how many students each trial has.
            available: how many there are to go out, `record` among them; every slot is to have its share.
            searched: of a searched trial, how many its study is to have in all.
        """
        if not can_share(record):
            return 1
        size = self.sizes.get(record.recipe.student, 1)
        size = min(size // replicates if self.in_students else size, math.ceil(available / self.slots))
        return max(1, size if searched is None else min(size, searched // SEARCH_ROUNDS))


def can_share(record: TrialRecord) -> bool:
    """Whether the trial may be in a pack with others: it has no feature objective, and has not taken a worker down."""
    return record.recipe.feature is None and record.restarts == 0


def _is_plain(training: TrainingConfig) -> bool:
    return (
        training.precision == "fp32"
        and training.micro_batch_size is None
        and training.augmentation.mode == "none"
        and not (training.channels_last or training.compile or training.deterministic)
    )
