"""`kdsearch embedding` of a real small sweep."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import silhouette_samples

from kdsearch.data import load_splits
from kdsearch.embedding.write import write_embedding
from kdsearch.errors import InputError
from tests.data.test_splits import DIGITS
from tests.e2e.harness import Workplace
from tests.kept import COUNTS
from tests.kept import finished


@pytest.fixture(scope="module")
def workplace() -> Workplace:
    return finished()


@pytest.fixture(scope="module")
def report(workplace: Workplace) -> Path:
    return workplace.folder / "kdsearch-data/sweeps/digits/report"


@pytest.fixture(scope="module")
def document(workplace: Workplace, report: Path) -> dict[str, Any]:
    shown = workplace.run("embedding", "digits").stdout
    assert str(report / "embedding.json") in shown and str(report / "plots/embedding.png") in shown
    found: dict[str, Any] = json.loads((report / "embedding.json").read_text())
    return found


def test_networks_and_scores(document: dict[str, Any]) -> None:
    assert (document["split"], document["samples"], document["method"]) == ("validation", 300, "pca")
    assert [(row["sample_count"], row["network"]) for row in document["networks"]] == [
        (count, who) for count in COUNTS for who in ("labels only", "best recipe", "teacher")
    ]
    for row in document["networks"]:
        assert row["classes"].keys() == set("0123456789") and row["dimensions"] == 16
        for name in ("silhouette", "within_between"):
            assert row[name] == pytest.approx(np.mean([scores[name] for scores in row["classes"].values()]))
    first, second = (row for row in document["networks"] if row["network"] == "teacher")
    assert first["silhouette"] == second["silhouette"]


def test_scores_are_of_the_student_that_is_kept(workplace: Workplace, document: dict[str, Any]) -> None:
    """Recomputed from its weights by hand, on the validation split."""
    row = next(row for row in document["networks"] if (row["sample_count"], row["network"]) == (50, "best recipe"))
    student = workplace.load().students.load(row["trial"])
    assert student is not None
    validation = load_splits(DIGITS, 0).validation
    weights = {name: tensor.double().numpy() for name, tensor in student.weights.items()}
    inputs = np.asarray(validation.inputs).reshape(300, -1)
    hidden = np.maximum(inputs @ weights["stage1.0.weight"].T + weights["stage1.0.bias"], 0)
    values = silhouette_samples(hidden, validation.targets)
    for name, scores in row["classes"].items():
        assert scores["silhouette"] == pytest.approx(values[validation.targets == int(name)].mean(), abs=1e-5)


def test_the_figure_has_something_in_it(document: dict[str, Any], report: Path) -> None:
    with Image.open(report / "plots/embedding.png") as image:
        assert image.format == "PNG" and image.width > 1200 and image.height > 900
        assert len(image.convert("RGB").getcolors(1 << 20) or ()) > 100


@pytest.mark.slow
def test_other_counts_and_what_cannot_be(workplace: Workplace, document: dict[str, Any]) -> None:
    sweep = workplace.load()
    assert {row["sample_count"] for row in write_embedding(sweep, "tsne", [50])["networks"]} == {50}
    with pytest.raises(InputError, match="--counts=30: must be of 20, 50"):
        write_embedding(sweep, counts=[30])
    searched = tuple(record for record in sweep.records if record.confirms is None)
    with pytest.raises(InputError, match="nothing is confirmed yet"):
        write_embedding(dataclasses.replace(sweep, records=searched))
    with pytest.raises(InputError) as caught:
        write_embedding(dataclasses.replace(sweep, storage=str(workplace.folder / "elsewhere")))
    assert {problem.key for problem in caught.value.problems} == {"student", "teacher"}
    assert len(caught.value.problems) == 5, "four students and one teacher"
