"""Which samples students were trained on, as MLflow lists datasets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdsearch.ledger.records import TrialRecord

CONTEXT = "training"
"""What MLflow is told the samples were used for."""
_DIGEST_LENGTH = 8


@dataclass(frozen=True)
class DatasetInput:
    name: str
    """`digits-n50`."""
    digest: str
    """The same for the same samples: data set, how many, how they were drawn, and the seed."""
    source: str
    schema: str
    profile: str


def dataset_input(record: TrialRecord, config: Mapping[str, Any]) -> DatasetInput:
    """The samples of a trial of the sweep whose stored configuration is `config`."""
    dataset = {key: value for key, value in config["dataset"].items() if key != "root"}  # wherever its files lie
    drawn = {
        "subset": record.recipe.subset or dataset.get("subset", "stratified"),
        "subset_seed": record.subset_seed,
        "sample_count": record.sample_count,
    }
    identity = json.dumps([dataset, drawn], sort_keys=True, default=str)
    return DatasetInput(
        name=f"{dataset['name']}-n{record.sample_count}",
        digest=hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST_LENGTH],
        source=json.dumps({"dataset": dataset["name"], **drawn}),
        schema=json.dumps({}),
        profile=json.dumps({"num_rows": record.sample_count}),
    )
