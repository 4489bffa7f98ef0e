"""The ledger: every sweep, study and trial, and who is at work on them."""

from kdsearch.ledger.away import cause_of
from kdsearch.ledger.away import is_away
from kdsearch.ledger.lease import Lease
from kdsearch.ledger.lease import LeaseLostError
from kdsearch.ledger.ledger import Ledger
from kdsearch.ledger.ledger import NoLedgerError
from kdsearch.ledger.ledger import StudyRow
from kdsearch.ledger.ledger import TrialResult
from kdsearch.ledger.ledger import open_ledger
from kdsearch.ledger.records import AttemptRecord
from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import Point
from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import SweepState
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState

__all__ = [
    "AttemptRecord",
    "Kind",
    "Lease",
    "LeaseLostError",
    "Ledger",
    "NoLedgerError",
    "Point",
    "Reason",
    "StudyRow",
    "SweepRecord",
    "SweepState",
    "TrialRecord",
    "TrialResult",
    "TrialState",
    "cause_of",
    "is_away",
    "open_ledger",
]
