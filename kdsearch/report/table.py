"""A sweep's trials as a table, for spreadsheets (CSV) and programs (parquet)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.report.effort import trial_seconds
from kdsearch.report.labels_used import labels_used

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("trial", "kind", "sample_count", "state", "reason", "control", "confirms", "replicate")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def trials_frame(sweep: SweepRecord, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """One row per trial: identity and state, the recipe and the final metrics under plain names, `value` (the search
    metric), `validation_labels` and `teacher_labels` (of the recipe's own teacher), seeds, `started` and `ended` (UTC),
    `seconds`, `attempts`, `restarts`, `error`."""
    import pandas as pd

    frame = pd.DataFrame([_row(sweep, record) for record in records])
    if frame.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    return frame.apply(_typed)


def csv(frame: pd.DataFrame) -> str:
    """Text that a spreadsheet would take for a formula gets a `'` in front, as OWASP advises."""
    import pandas as pd

    safe = frame.copy()
    for name in safe.columns:
        if pd.api.types.is_string_dtype(safe[name].dtype) or safe[name].dtype == object:
            safe[name] = safe[name].map(_defused, na_action="ignore")
    return str(safe.to_csv(index=False))


def parquet(frame: pd.DataFrame) -> bytes:
    import io

    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _row(sweep: SweepRecord, record: TrialRecord) -> dict[str, Any]:
    used = labels_used(sweep, record.recipe, record.sample_count)
    return {
        "trial": record.key,
        "kind": record.kind.value,
        "sample_count": record.sample_count,
        "state": record.state.value,
        "reason": record.reason.value if record.reason else None,
        "control": record.control,
        "confirms": record.confirms,
        "replicate": record.replicate,
        **record.recipe.flat(),
        "value": record.value,
        **record.metrics,
        "validation_labels": used.validation,
        "teacher_labels": used.teacher,
        "seed": str(record.seed),
        "subset_seed": str(record.subset_seed),
        "started": record.started,
        "ended": record.ended,
        "seconds": trial_seconds(record),
        "attempts": len(record.attempts),
        "restarts": record.restarts,
        "losses": record.losses,
        "error": record.error,
    }


def _typed(column: pd.Series) -> pd.Series:
    """A type that holds all of a column, missing values too; text where they are of several."""
    import pandas as pd

    if column.name in ("started", "ended"):
        return pd.to_datetime(column, utc=True)
    known = [value for value in column if value is not None and value == value]
    if known and all(isinstance(value, bool) for value in known):
        return column.astype("boolean")
    if known and all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        return column.astype("Int64")
    if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return column.astype("float64")
    return column.map(str, na_action="ignore").astype("string")


def _defused(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
