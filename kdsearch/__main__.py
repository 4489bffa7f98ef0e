"""`python -m kdsearch`."""

from __future__ import annotations

import sys

from kdsearch.cli import main

if __name__ == "__main__":
    sys.exit(main())
