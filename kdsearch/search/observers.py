"""Who follows the trials of an attempt: the progress view, and the tracker with what each trial gains."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kdsearch.ledger import Kind
from kdsearch.ledger import Point
from kdsearch.ledger import TrialRecord
from kdsearch.ledger import TrialState
from kdsearch.progress import Phase
from kdsearch.progress import Progress
from kdsearch.progress import Tally
from kdsearch.report import gain_over_labels
from kdsearch.report import labels_baselines
from kdsearch.tracking import Tracker


class Screen:
    """Follows the trials for the progress view."""

    def __init__(self, progress: Progress, tally: Tally) -> None:
        self.tally = tally
        self._progress = progress
        self._began = time.monotonic()
        self._phase = Phase.STARTING

    def enter(self, phase: Phase) -> None:
        self._phase = phase
        self.show()

    def show(self) -> None:
        self._progress.update(self.tally.snapshot(self._phase, time.monotonic() - self._began))

    def trial_started(self, record: TrialRecord) -> None:
        if record.kind is Kind.CONFIRM and self._phase is Phase.SEARCHING:
            self._phase = Phase.CONFIRMING
        self._take(record)

    def trial_finished(self, record: TrialRecord, series: Sequence[Point]) -> None:
        self._take(record)

    def trial_suspended(self, record: TrialRecord) -> None:
        self._take(record)

    def _take(self, record: TrialRecord) -> None:
        self.tally.update(record)
        self.show()


class Gains:
    """What each trial gains over training on labels alone, at the same sample count and on the validation split."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._baselines: dict[int, TrialRecord] = {}

    def add(self, *records: TrialRecord) -> None:
        self._baselines = labels_baselines((*self._baselines.values(), *records), self._metric)

    def of(self, record: TrialRecord) -> dict[str, float]:
        return {} if record.kind is Kind.CONFIRM else gain_over_labels(record, self._baselines.get(record.sample_count))


class TrackerObserver:
    """Hands the trials to the tracker."""

    def __init__(self, tracker: Tracker, gains: Gains) -> None:
        self._tracker = tracker
        self._gains = gains
        self._without_gain: list[TrialRecord] = []
        """Those that finished before training on labels alone had, at their sample count."""

    def trial_started(self, record: TrialRecord) -> None:
        self._tracker.trial_started(record)

    def trial_finished(self, record: TrialRecord, series: Sequence[Point]) -> None:
        # Not before: importing MLflow takes seconds of the cores that the first results wait for.
        self._tracker.start()
        self._gains.add(record)
        gain = self._gains.of(record)
        self._tracker.trial_finished(record, series, gain)
        if not gain and record.state is TrialState.COMPLETE and record.kind is not Kind.CONFIRM:
            self._without_gain.append(record)
        elif self._without_gain:
            self._catch_up()

    def _catch_up(self) -> None:
        gains = [(record, self._gains.of(record)) for record in self._without_gain]
        for record, gain in gains:
            if gain:
                self._tracker.trial_measured(record, gain)
        self._without_gain = [record for record, gain in gains if not gain]

    def trial_suspended(self, record: TrialRecord) -> None:
        self._tracker.trial_interrupted(record)
