"""Data: samples, how they are split, and which of them a student sees."""

from __future__ import annotations

from kdsearch.data.arrays import Arrays
from kdsearch.data.datasets import DATASETS
from kdsearch.data.datasets import DatasetInfo
from kdsearch.data.datasets import describe
from kdsearch.data.datasets import load_arrays
from kdsearch.data.datasets import needs_download
from kdsearch.data.facts import Facts
from kdsearch.data.image_files import ImageFiles
from kdsearch.data.image_files import ImageFormat
from kdsearch.data.sealed import CONFIRMATION
from kdsearch.data.sealed import TestSplit
from kdsearch.data.sealed import TestSplitError
from kdsearch.data.splits import Split
from kdsearch.data.splits import Splits
from kdsearch.data.splits import load_splits
from kdsearch.data.splits import split
from kdsearch.data.subsets import subset_order

__all__ = [
    "CONFIRMATION",
    "DATASETS",
    "Arrays",
    "DatasetInfo",
    "Facts",
    "ImageFiles",
    "ImageFormat",
    "Split",
    "Splits",
    "TestSplit",
    "TestSplitError",
    "describe",
    "load_arrays",
    "load_splits",
    "needs_download",
    "split",
    "subset_order",
]
