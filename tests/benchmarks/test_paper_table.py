from __future__ import annotations

from tests.benchmarks.paper_table import tables
from tests.factories import make_sweep
from tests.questions.worlds import SEARCHED
from tests.questions.worlds import confirmed


def test_the_tables_of_two_sweeps() -> None:
    world = {"labels": {20: 0.5, 100: 0.8, 800: 0.9}, SEARCHED: {20: 0.7, 100: 0.85, 800: 0.91}}
    config = {"sample_counts": [20, 100, 800]}
    shown = tables(
        [(make_sweep("paper_digits", config=config), confirmed(world, noise=1e-6)), (make_sweep("mine"), [])]
    )
    gains, questions = (table.splitlines() for table in shown.split("\n\n"))
    assert gains[2].startswith("| digits | +20.0 ± 0.0 at n=20 | +5.0 ± 0.0 at n=100 | +1.0 ± 0.0 at n=800 |")
    # Labels only reach 0.7 at two thirds of the way from n=20 to n=100, on a log axis: 58 samples.
    assert "≈ 2.9× labels at n=20" in gains[2]
    assert gains[3] == "| mine | – | – | – | – |"
    assert questions[0] == "| question | digits | mine |"
    assert questions[2] == "| Is the gain amplified at small sample counts? | yes | – |"
    assert len(questions) == 12 and len({line.count("|") for line in questions}) == 1
