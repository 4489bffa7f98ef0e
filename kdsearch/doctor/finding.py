"""What the doctor says: one finding per check, made of what was found and of remarks on what will not do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kdsearch.config.secrets import mask_url


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    """A sweep will run, though perhaps not as its user wants."""
    BAD = "BAD"


@dataclass(frozen=True)
class Remark:
    """Something that is bad, or worth a warning, and what to do about it."""

    status: Status
    found: str
    advice: str = ""

    @classmethod
    def bad(cls, found: str, advice: str = "") -> Remark:
        return cls(Status.BAD, _one_line(found), advice)

    @classmethod
    def warn(cls, found: str, advice: str = "") -> Remark:
        return cls(Status.WARN, _one_line(found), advice)

    @property
    def text(self) -> str:
        return f"{self.found} → {self.advice}" if self.advice else self.found


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; credentials are masked in it."""

    check: str
    status: Status
    found: str
    """What was found; where it is not ok, with what to do after an arrow."""

    @classmethod
    def conclude(cls, check: str, found: str, remarks: Iterable[Remark] = ()) -> Finding:
        """As bad as the worst remark; `found` is said unless something is bad."""
        remarks = list(dict.fromkeys(remarks))
        bad = [remark for remark in remarks if remark.status is Status.BAD]
        texts = [remark.text for remark in bad] or [found, *(remark.text for remark in remarks)]
        status = Status.BAD if bad else Status.WARN if remarks else Status.OK
        return cls(check, status, mask_url("; ".join(text for text in texts if text)))

    def but(self, remarks: Iterable[Remark]) -> Finding:
        """This finding with further remarks, unless it is bad already."""
        remarks = list(remarks)
        if self.is_bad or not remarks:
            return self
        added = Finding.conclude(self.check, self.found, remarks)
        return Finding(self.check, max(self.status, added.status, key=list(Status).index), added.found)

    @property
    def is_bad(self) -> bool:
        return self.status is Status.BAD

    def to_dict(self) -> dict[str, Any]:
        return {"check": self.check, "ok": not self.is_bad, "status": self.status.value, "found": self.found}


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its type's name."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
