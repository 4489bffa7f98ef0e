"""UCI's Letter Recognition and Statlog Satellite, as Debian's `r-cran-mlbench` brings them: tables of numbers.

Both keep their published order, so the test parts are the customary ones: Letter's last 4,000 of 20,000, and the 2,000
that Statlog holds out of Satellite's 6,435. R is not needed: PyPI's `rdata` reads the files.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdsearch.data.arrays import Arrays
from kdsearch.data.facts import Facts
from kdsearch.data.frames import Part
from kdsearch.data.packages import import_optional
from kdsearch.data.tables import ColumnArguments
from kdsearch.data.tables import encode_table
from kdsearch.errors import InputError
from kdsearch.errors import Problem

SYSTEM_FOLDER = Path("/usr/lib/R/site-library/mlbench/data")
"""Where Debian's package puts the files."""
INSTALL = (
    "install Debian's package (apt-get install r-cran-mlbench), or unpack it where you like "
    "(apt-get download r-cran-mlbench && dpkg -x r-cran-mlbench_*.deb mlbench) and set dataset.root=mlbench"
)


@dataclass(frozen=True)
class Mlbench:
    """One of its data sets."""

    name: str
    """Of the file and of the frame in it."""
    target: str
    train_count: int
    """The first rows are the training part."""
    published: Facts

    def load(self, root: Path | None = None, arguments: object = None) -> Arrays:
        """Inputs [N, F], each column standardised by the training part."""
        path = self.find_file(root)
        frame = self._read(path)
        rows = {"train": frame[: self.train_count], "test": frame[self.train_count :]}
        parts = [Part("dataset.root", str(path), part.reset_index(drop=True)) for part in rows.values()]
        return encode_table(parts, self.target, ColumnArguments(), test_fraction=0.0)

    def facts(self, root: Path | None = None, arguments: object = None) -> Facts:
        """As published, where the file is there and can be read."""
        self.find_file(root)
        import_optional("rdata", "mlbench")
        return self.published

    def find_file(self, root: Path | None) -> Path:
        """
        Raises:
            InputError: saying how to get it.
        """
        file = f"{self.name}.rda"
        folder = SYSTEM_FOLDER if root is None else root
        places = [folder, folder / "data", folder / SYSTEM_FOLDER.relative_to("/")]
        found = next((place / file for place in places if (place / file).is_file()), None)
        if found is None:
            reason = f"{file} is not in {folder}; {INSTALL}"
            raise InputError([Problem("dataset.root", None if root is None else str(root), reason)])
        return found

    def _read(self, path: Path) -> Any:
        rdata = import_optional("rdata", "mlbench")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # it takes texts without an encoding for ASCII
                frame = rdata.read_rda(path)[self.name]
        except Exception as error:  # whatever a damaged file makes of the parser
            reason = f"cannot be read ({type(error).__name__}: {error})"
            raise InputError([Problem("dataset.root", str(path), reason)]) from error
        expected = self.published.train_count + self.published.test_count
        if len(frame) != expected or self.target not in frame.columns:
            raise InputError([Problem("dataset.root", str(path), f"must hold {expected} rows with {self.target}")])
        frame.columns = [str(column) for column in frame.columns]
        return frame.assign(**{self.target: frame[self.target].astype(str)})


LETTER_COUNTS = (
    *(633, 630, 594, 638, 616, 622, 609, 583, 590, 599, 593, 604, 648),
    *(617, 614, 635, 615, 597, 587, 645, 645, 628, 613, 628, 641, 576),
)
SATELLITE_CLASSES = (
    *("cotton crop", "damp grey soil", "grey soil", "red soil", "vegetation stubble", "very damp grey soil"),
)

LETTER = Mlbench(
    "LetterRecognition",
    "lettr",
    16_000,
    Facts(LETTER_COUNTS, 4_000, (16,), class_names=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
)
SATELLITE = Mlbench(
    "Satellite",
    "classes",
    4_435,
    Facts((479, 415, 961, 1072, 470, 1038), 2_000, (36,), class_names=SATELLITE_CLASSES),
)
