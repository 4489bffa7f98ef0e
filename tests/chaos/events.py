"""What goes wrong in the chaos suite, and how often it did."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum


class Event(StrEnum):
    DRIVER = "driver killed"
    WORKER = "trial process killed"
    NODE = "Ray node killed, another added"
    MLFLOW = "MLflow server killed, back later"
    POSTGRES = "PostgreSQL killed, back later"
    S3 = "S3 server killed, back after 20 s"


FULL = {Event.DRIVER: 100, Event.WORKER: 30} | dict.fromkeys((Event.NODE, Event.MLFLOW, Event.POSTGRES, Event.S3), 10)
SHORT = {Event.DRIVER: 6, Event.WORKER: 3} | dict.fromkeys((Event.NODE, Event.MLFLOW, Event.POSTGRES, Event.S3), 1)


class Queue:
    """Events in an order that the seed decides."""

    def __init__(self, counts: Mapping[Event, int], seed: int) -> None:
        self._events = [event for event, count in counts.items() for _ in range(count)]
        random.Random(seed).shuffle(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def next(self) -> Event:
        return self._events.pop()

    def put_back(self, event: Event) -> None:
        """For the next sweep, or a later moment of this one."""
        self._events.insert(0, event)

    def take(self, event: Event) -> bool:
        """Take one `event` out of turn; False when none is left."""
        if event not in self._events:
            return False
        self._events.remove(event)
        return True


@dataclass
class Tally:
    """How often each event happened, and after how many the sweep was seen to go on."""

    done: Counter[Event] = field(default_factory=Counter)
    recovered: Counter[Event] = field(default_factory=Counter)
    _pending: Counter[Event] = field(default_factory=Counter)

    def happened(self, event: Event) -> None:
        self.done[event] += 1
        self._pending[event] += 1

    def went_on(self) -> None:
        """A trial finished, or the sweep did: what happened before has been got over."""
        self.recovered += self._pending
        self._pending.clear()

    def table(self) -> str:
        rows = [f"{event:<36}{self.done[event]:>6}{self.recovered[event]:>11}" for event in Event]
        return "\n".join((f"{'event':<36}{'count':>6}{'recovered':>11}", *rows))
