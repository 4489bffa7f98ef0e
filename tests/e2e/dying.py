"""kdsearch, whose driver dies when it has a trial's result and the ledger does not have it yet."""

from __future__ import annotations

import os
import signal
from typing import Any

from kdsearch.cli import main
from kdsearch.ledger import Ledger
from kdsearch.search import driver


def die(*args: Any, **kwargs: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    driver.CHECKPOINT_SECONDS = 0.0
    Ledger.finish_trial = die  # type: ignore[method-assign]
    raise SystemExit(main())
