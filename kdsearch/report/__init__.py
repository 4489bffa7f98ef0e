"""What a sweep has shown: numbers, words, figures, derived from its ledger rows alone."""

from kdsearch.report.leaderboard import leaderboard
from kdsearch.report.status import render_status
from kdsearch.report.status import status
from kdsearch.report.summary import gain_over_labels
from kdsearch.report.summary import labels_baselines
from kdsearch.report.summary import summarize
from kdsearch.report.wording import next_commands
from kdsearch.report.wording import verdict

__all__ = [
    "gain_over_labels",
    "labels_baselines",
    "leaderboard",
    "next_commands",
    "render_status",
    "status",
    "summarize",
    "verdict",
]
