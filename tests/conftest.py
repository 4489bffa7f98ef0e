"""No test sees what the machine's own sweeps use: the place that they are kept at, and the user's token for Ray.

Clusters that tests start have no token unless they say so; a driver that found one would use it there.

Several test processes (`pytest -n 2 --dist loadfile`) have one thread each for their arithmetic: with more than there
are cores, MKL takes as many as it sees fit, and sums in another order.
"""

from __future__ import annotations

import os

from kdsearch.config.place import VARIABLES

for variable in VARIABLES.values():
    os.environ.pop(variable, None)
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
