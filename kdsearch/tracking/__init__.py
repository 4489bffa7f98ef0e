"""MLflow as a projection of the ledger: written once per row, at any time, the same each time."""

from kdsearch.tracking.links import charts_link
from kdsearch.tracking.tracker import Tracker
from kdsearch.tracking.verify import verify
from kdsearch.tracking.views import sweep_views

__all__ = ["Tracker", "charts_link", "sweep_views", "verify"]
