"""What goes out to a worker and what comes back, as plain values that travel as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from kdsearch.data.sealed import CONFIRMATION
from kdsearch.ledger import Point
from kdsearch.ledger import Reason
from kdsearch.ledger import TrialResult
from kdsearch.ledger import TrialState
from kdsearch.recipe import Recipe


@dataclass(frozen=True)
class Slot:
    """One ledger trial in a pack."""

    key: str
    study: str
    number: int
    sample_count: int
    recipe: Recipe
    sending: int
    """How often this attempt has sent it out: a worker that comes back writes apart from its successor."""
    seed: int
    subset_seed: int
    replicates: int
    """How many seeds, derived from `seed`, the recipe is trained with; metrics are their means."""
    judged: bool
    """Whether it reports at decision points and asks whether to go on."""
    on_test: bool
    """Whether the trained student is scored on the test split: in a confirmation, and nowhere else."""

    @property
    def purpose(self) -> str:
        """What it is trained for, as the test split asks."""
        return CONFIRMATION if self.on_test else "search"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Slot:
        return cls(**{**data, "recipe": Recipe.from_dict(data["recipe"])})

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "recipe": self.recipe.to_dict()}


@dataclass(frozen=True)
class Pack:
    """Ledger trials of one study that one worker trains together, for attempt `attempt` of the sweep."""

    attempt: int
    slots: tuple[Slot, ...]
    batched: bool = False
    """Whether its students may be trained as one batched model."""

    def encode(self) -> str:
        slots = [slot.to_dict() for slot in self.slots]
        return json.dumps({"attempt": self.attempt, "slots": slots, "batched": self.batched})

    @classmethod
    def decode(cls, text: str) -> Pack:
        data = json.loads(text)
        return cls(data["attempt"], tuple(Slot.from_dict(slot) for slot in data["slots"]), data["batched"])


@dataclass(frozen=True)
class Judgement:
    """A slot at a decision point: the search metric after a share of its training."""

    key: str
    step: int
    value: float


@dataclass(frozen=True)
class Outcome:
    """How a slot ended. `result` is None when it was suspended: checkpointed, to be continued by a later attempt."""

    key: str
    result: TrialResult | None
    series: tuple[Point, ...] = ()


def encode_message(message: Sequence[Judgement] | Sequence[Outcome]) -> str:
    return json.dumps([_encode(item) for item in message])


def decode_message(text: str) -> list[Judgement | Outcome]:
    return [_decode(item) for item in json.loads(text)]


def _encode(item: Judgement | Outcome) -> dict[str, Any]:
    if isinstance(item, Judgement):
        return asdict(item)
    series = [[point.epoch, point.time, dict(point.metrics)] for point in item.series]
    return {"key": item.key, "result": item.result.to_dict() if item.result else None, "series": series}


def _decode(item: Mapping[str, Any]) -> Judgement | Outcome:
    if "step" in item:
        return Judgement(**item)
    result = TrialResult.from_dict(item["result"]) if item["result"] else None
    return Outcome(item["key"], result, tuple(Point(*point) for point in item["series"]))


def failed(reason: Reason, error: str) -> TrialResult:
    return TrialResult(TrialState.FAIL, reason=reason, error=error)
