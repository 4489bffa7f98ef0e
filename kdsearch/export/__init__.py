"""Export: the best student of each sample count as files that need nothing of the sweep.

from kdsearch.export import load

student = load("DIR/n=50")  # a torch.nn.Module
logits = student(inputs)
"""

from __future__ import annotations

from kdsearch.export.student import load

__all__ = ["load"]
