"""The doctor: looks at everything a sweep will need before it is started, and leaves nothing behind."""

from kdsearch.doctor.examine import examine
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Status

__all__ = ["Finding", "Status", "examine"]
