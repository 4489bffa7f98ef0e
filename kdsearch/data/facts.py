"""What is known of a data set before, or without, reading all of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """Sizes and shapes of a data set's training part and test part."""

    class_counts: tuple[int, ...]
    """Training samples of each class."""
    test_count: int
    input_shape: tuple[int, ...]
    vocabulary_size: int | None = None
    """Inputs are token ids below it; None for anything else."""
    class_names: tuple[str, ...] | None = None

    @property
    def train_count(self) -> int:
        return sum(self.class_counts)

    @property
    def class_count(self) -> int:
        return len(self.class_counts)

    @property
    def imbalance(self) -> float:
        return imbalance(self.class_counts)


def imbalance(class_counts: tuple[int, ...]) -> float:
    """The largest class's count over the smallest's, of the classes that have any samples; 1 is balanced."""
    present = [count for count in class_counts if count]
    return max(present) / min(present)
