from __future__ import annotations

import pytest

from kdsearch.outage import AwayError
from kdsearch.outage import Outage


class Service:
    """Answers once it was asked often enough."""

    def __init__(self, failures: int) -> None:
        self._failures = failures

    def __call__(self) -> str:
        if self._failures:
            self._failures -= 1
            raise ConnectionError("refused by postgresql://kd:hidden@host/db")
        return "answer"


def is_away(error: BaseException) -> bool:
    return isinstance(error, ConnectionError)


def test_one_warning_when_it_goes_and_one_when_it_is_back() -> None:
    warnings: list[str] = []
    waited: list[None] = []
    outage = Outage("The ledger", 600, warnings.append, while_waiting=lambda: waited.append(None))
    assert outage.insist(Service(0), is_away) == "answer"
    assert warnings == []
    assert outage.insist(Service(3), is_away) == "answer"
    gone, back = warnings
    assert gone.startswith("The ledger does not answer") and "hidden" not in gone
    assert back.startswith("The ledger is back after")
    assert waited and outage.failure is None


def test_another_answer_does_not_count_while_a_call_waits() -> None:
    """A heartbeat may still get through where a result does not."""
    warnings: list[str] = []
    outage = Outage("The ledger", 600, warnings.append, while_waiting=lambda: outage.came_back())
    assert outage.insist(Service(3), is_away) == "answer"
    assert len(warnings) == 2


def test_patience_ends() -> None:
    outage = Outage("The ledger", 0.3, lambda message: None)
    with pytest.raises(AwayError, match=r"The ledger was away for more than 0.3 s \(refused by"):
        outage.insist(Service(10**6), is_away)
    assert outage.failure is not None


def test_whoever_stops_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdsearch.outage.STOPPING_SECONDS", 0.1)
    outage = Outage("The ledger", 600, lambda message: None, is_stopping=lambda: True)
    with pytest.raises(AwayError):
        outage.insist(Service(10**6), is_away)
    assert outage.failure is None


def test_other_errors_are_not_waited_out() -> None:
    def wrong() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        Outage("The ledger", 600, lambda message: None).insist(wrong, is_away)
