"""What the gain lives on, by controls that keep a part of what the teacher says: do they keep the gain?

Each control is compared with `kl`, from which it differs in what is said alone (where `kl` was not trained, with the
best searched recipe), at the sample counts where that one has a clear gain over labels only (95 %). There it has

lost the gain   `kl` is above it
kept the gain   it is less than half of the gain below `kl`

with intervals that hold for all controls and sample counts together; else it is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kdsearch.questions.answer import Evidence
from kdsearch.questions.runs import DISTILLED
from kdsearch.questions.runs import KL
from kdsearch.questions.runs import Runs
from kdsearch.questions.words import across
from kdsearch.questions.words import basis
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import corrected
from kdsearch.report.statistics import direction

Fate = Literal["lost", "kept", "open"]


@dataclass(frozen=True)
class Explanation:
    """What became of the gain under each of some controls."""

    reference: str
    fates: Mapping[str, Mapping[int, Fate]]
    """Control → sample count → fate, where the reference gains."""
    text: str
    evidence: tuple[Evidence, ...]

    @property
    def is_lost(self) -> bool:
        """Every control has lost the gain at some sample count and kept it at none."""
        return bool(self.fates) and all(
            "lost" in fates.values() and "kept" not in fates.values() for fates in self.fates.values()
        )

    @property
    def is_refuted(self) -> bool:
        """Every control has lost the gain at some sample count: none of them is what distillation is."""
        return bool(self.fates) and all("lost" in fates.values() for fates in self.fates.values())

    @property
    def is_kept(self) -> bool:
        """Some control has kept the gain at every sample count."""
        return any(fates and set(fates.values()) == {"kept"} for fates in self.fates.values())


def explain(runs: Runs, controls: Sequence[str]) -> Explanation | None:
    """None where neither the controls nor what they are compared with were trained."""
    reference = KL if runs.gains_by_count(KL) else DISTILLED
    gains = runs.gains_by_count(reference)
    losses = {control: found for control in controls if (found := runs.gains_by_count(reference, control))}
    if not gains or not losses:
        return None
    clear = [count for count in gains if direction(gains[count]) > 0]
    comparisons = sum(count in found for found in losses.values() for count in clear)
    fates = {
        control: {n: _fate(found[n], gains[n], comparisons) for n in clear if n in found}
        for control, found in losses.items()
    }
    name = "KL" if reference == KL else "the best recipe"
    told = [f"{name[0].upper() + name[1:]} gains {across(gains)} over labels only."]
    told += [f"Over {control} it is {across(found)} more accurate." for control, found in losses.items()]
    if not clear:
        told.append("It has no clear gain at any sample count, so there is nothing to explain.")
    evidence = [Evidence(f"{reference} over labels only", n, gain, "points") for n, gain in gains.items()]
    for control, found in losses.items():
        evidence += [Evidence(f"{reference} over {control}", n, value, "points") for n, value in found.items()]
    return Explanation(reference, fates, " ".join([*told, basis(runs, comparisons)]), tuple(evidence))


def _fate(loss: Estimate, gain: Estimate, comparisons: int) -> Fate:
    if loss.ci95 is None:
        return "open"
    interval = corrected(loss, comparisons)
    if interval.low > 0:
        return "lost"
    return "kept" if interval.high < gain.mean / 2 else "open"
