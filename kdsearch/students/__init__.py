"""Students that were kept: the weights of every confirmed one, in the sweep's storage.

A confirmation writes its student at its end, to `sweeps/<name>/students/n=<count>/<number>.safetensors`, where `number`
is its trial's in the study `<name>/confirm/n=<count>`. That is (top_k + controls) * seeds files per sample count, each
as large as the student: 4 bytes a parameter (15 kB for the default student of digits, 1 MB for a resnet20). Which of
them stands for a sample count is `kdsearch.students.choice`'s to say.
"""

from __future__ import annotations

from kdsearch.students.store import Description
from kdsearch.students.store import KeptStudent
from kdsearch.students.store import StudentStore

__all__ = ["Description", "KeptStudent", "StudentStore"]
