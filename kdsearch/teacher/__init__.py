"""Teacher: trained once, kept by content hash; its outputs per sample are its signals."""

from __future__ import annotations

from kdsearch.teacher.lesson import Lesson
from kdsearch.teacher.lesson import LessonPlan
from kdsearch.teacher.lesson import give_lesson
from kdsearch.teacher.signals import Signals
from kdsearch.teacher.store import ensure_teacher
from kdsearch.teacher.store import find_teacher
from kdsearch.teacher.store import with_stored_signals
from kdsearch.teacher.teacher import Network
from kdsearch.teacher.teacher import Teacher
from kdsearch.teacher.training import train_teacher

__all__ = [
    "Lesson",
    "LessonPlan",
    "Network",
    "Signals",
    "Teacher",
    "ensure_teacher",
    "find_teacher",
    "give_lesson",
    "train_teacher",
    "with_stored_signals",
]
