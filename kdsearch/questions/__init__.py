"""The questions of *Revisiting Knowledge Distillation: The Hidden Role of Dataset Size* (arXiv 2510.15516), and of
Menon et al. (arXiv 2005.10419), answered from a sweep's ledger rows alone.

`+preset=paper` trains what all of them need. Each module's docstring is the rule of its verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.questions import amplification
from kdsearch.questions import best_teacher
from kdsearch.questions import dark_knowledge
from kdsearch.questions import label_smoothing
from kdsearch.questions import objective
from kdsearch.questions import student_size
from kdsearch.questions import teacher_quality
from kdsearch.questions import teachers
from kdsearch.questions import variance
from kdsearch.questions.answer import Answer
from kdsearch.questions.answer import Evidence
from kdsearch.questions.answer import Verdict
from kdsearch.questions.runs import runs_of

__all__ = ["Answer", "Evidence", "Verdict", "answers"]

QUESTIONS = (
    amplification.answer,
    label_smoothing.answer,
    dark_knowledge.answer,
    objective.answer,
    student_size.answer,
    teachers.size,
    teachers.samples,
    best_teacher.answer,
    teacher_quality.answer,
    variance.answer,
)


def answers(sweep: SweepRecord, records: Sequence[TrialRecord]) -> tuple[Answer, ...]:
    """One for each question, always in the same order; those about which nothing is known are `not studied`."""
    runs = runs_of(sweep, records)
    return tuple(question(runs) for question in QUESTIONS)
