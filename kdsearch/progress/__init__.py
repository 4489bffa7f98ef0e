"""What a running sweep shows on the screen."""

from kdsearch.progress.snapshot import Best
from kdsearch.progress.snapshot import CountRow
from kdsearch.progress.snapshot import Phase
from kdsearch.progress.snapshot import ProgressSnapshot
from kdsearch.progress.tally import Tally
from kdsearch.progress.view import Progress
from kdsearch.progress.view import make_progress

__all__ = ["Best", "CountRow", "Phase", "Progress", "ProgressSnapshot", "Tally", "make_progress"]
