from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.harness import Workplace
from tests.e2e.harness import done
from tests.e2e.harness import outline

ONE_AT_A_TIME = ("resources.max_concurrent=1", "pruner=successive_halving", "trials_per_count=8", "sample_counts=[20]")


@pytest.mark.slow
def test_one_trial_at_a_time_is_the_same_every_time_even_when_killed(tmp_path: Path, ray_address: str) -> None:
    outlines = []
    for run in ("straight", "again", "killed"):
        folder = tmp_path / run
        folder.mkdir()
        workplace = Workplace(folder, ray_address)
        if run == "killed":
            for finished in (4, 9):
                driver = workplace.start_sweep(*ONE_AT_A_TIME)
                workplace.wait_for(done(finished))
                driver.kill()
                driver.communicate()
        workplace.sweep(*ONE_AT_A_TIME)
        outlines.append(outline(workplace.load()))
    assert outlines[0] == outlines[1] == outlines[2]
