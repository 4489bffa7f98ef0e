"""`kdsearch` that checkpoints every second, so that what is killed has a checkpoint to go on from."""

from __future__ import annotations

import sys

from kdsearch.cli import main
from kdsearch.search import driver

driver.CHECKPOINT_SECONDS = 1.0

if __name__ == "__main__":
    sys.exit(main())
