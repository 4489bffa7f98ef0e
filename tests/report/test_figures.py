from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kdsearch.ledger.records import Kind
from kdsearch.ledger.records import SweepRecord
from kdsearch.ledger.records import TrialRecord
from kdsearch.recipe import Recipe
from kdsearch.report import figures
from kdsearch.report.content import Content
from kdsearch.report.figures.data_efficiency import drawn_controls
from kdsearch.report.figures.figure import MOST_POINTS
from kdsearch.report.figures.figure import thin
from kdsearch.report.importance import importances
from kdsearch.report.results import Results
from kdsearch.report.statistics import Estimate
from kdsearch.report.summary import summarize
from tests.factories import make_record
from tests.report.samples import COUNTS
from tests.report.samples import sample_records
from tests.report.samples import sample_sweep

SWEEP = sample_sweep()
RECORDS = sample_records()


def drawn(records: list[TrialRecord], sweep: SweepRecord = SWEEP) -> dict[str, figures.Picture]:
    drawing = figures.draw(Content.of(sweep, records))
    assert drawing.failures == {}
    return {picture.figure.name: picture for picture in drawing.pictures}


def rows_of(node: Any) -> list[dict[str, Any]]:
    """All rows of data anywhere in a spec."""
    if isinstance(node, dict):
        own = node["values"] if isinstance(node.get("values"), list) else []
        inner = [row for value in node.values() for row in rows_of(value)]
        return [row for row in own if isinstance(row, dict)] + inner
    return [row for item in node for row in rows_of(item)] if isinstance(node, list) else []


@pytest.fixture(scope="module")
def pictures() -> dict[str, figures.Picture]:
    return drawn(RECORDS)


def test_every_figure_is_there_but_that_of_students_that_cost_the_same(pictures: dict[str, figures.Picture]) -> None:
    assert set(pictures) == figures.NAMES - {"pareto_cost"}
    for name, picture in pictures.items():
        assert picture.png.startswith(b"\x89PNG"), name
        assert len(picture.png) > 5000
        assert picture.figure.caption.endswith(".")


def test_specs_are_vega_lite(pictures: dict[str, figures.Picture]) -> None:
    import altair as alt

    for picture in pictures.values():
        spec = {key: value for key, value in picture.spec.items() if key != "config"}
        alt.Chart.from_dict(spec, validate=True)
        assert "http" not in json.dumps({key: value for key, value in spec.items() if key != "$schema"})


def test_the_same_rows_give_the_same_pictures(pictures: dict[str, figures.Picture]) -> None:
    again = drawn(RECORDS)
    assert {name: picture.png for name, picture in again.items()} == {
        name: picture.png for name, picture in pictures.items()
    }


def test_accuracies_have_bands_where_there_are_seeds(pictures: dict[str, figures.Picture]) -> None:
    rows = [row for row in rows_of(pictures["data_efficiency"].spec) if "who" in row and "n" in row]
    assert {row["who"] for row in rows} == {"best recipe", "labels only", "label_smoothing"}
    assert all(row["low"] < row["accuracy"] < row["high"] for row in rows)
    alone = drawn([record for record in RECORDS if record.kind is not Kind.CONFIRM])["data_efficiency"]
    assert all(row["low"] is None for row in rows_of(alone.spec) if "n" in row)
    assert "no intervals" in alone.figure.caption and "95 % t-intervals" in pictures["data_efficiency"].figure.caption


def test_of_many_controls_the_plain_ones_are_drawn_and_none_that_presses_them_together() -> None:
    plain, others = [f"control{i}" for i in range(4)], [f"kl={t}" for t in range(10)]
    found = {name: Estimate(0.6, None, 1) for name in [*others, *plain]} | {"random_head": Estimate(0.01, None, 1)}
    summary = replace(summarize(SWEEP, RECORDS)[0], labels=Estimate(0.7, None, 1), controls=found)
    assert drawn_controls([summary]) == [*others[:2], *plain]
    few = replace(summary, controls={"kl=20": found["kl=1"], "random_head": found["random_head"]})
    assert drawn_controls([few]) == ["kl=20"]


def test_labels_that_are_saved_are_bounds_where_the_curve_ends(pictures: dict[str, figures.Picture]) -> None:
    rows = [row for row in rows_of(pictures["labels_saved"].spec) if "kind" in row]
    assert [row["n"] for row in rows] == list(COUNTS)
    last = rows[-1]
    assert (last["kind"], last["value"], last["short"]) == ("at least", 1.0, "> 1.0×")
    assert "Triangles are bounds" in pictures["labels_saved"].figure.caption


def test_cells_hold_the_mean_of_their_trials(pictures: dict[str, figures.Picture]) -> None:
    cells = [row for row in rows_of(pictures["temperature_alpha"].spec) if row.get("is_cell")]
    kl = [r for r in RECORDS if r.kind is Kind.SEARCH and r.recipe.objective == "kl"]
    assert sum(cell["trials"] for cell in cells) == len(kl)
    for cell in cells:
        inside = [
            r.metrics["val_accuracy"]
            for r in kl
            if r.sample_count == cell["n"]
            and cell["low"] <= r.recipe.hyperparameters["temperature"] < cell["high"]
            and cell["bottom"] - 1e-9 <= r.recipe.alpha < cell["top"]
        ]
        assert cell["mean"] == pytest.approx(100 * sum(inside) / len(inside))


def test_the_best_so_far_is_the_running_maximum_in_the_order_of_ending(pictures: dict[str, figures.Picture]) -> None:
    rows = [row for row in rows_of(pictures["best_so_far"].spec) if "trial" in row]
    searched = [r for r in RECORDS if r.kind is Kind.SEARCH and r.sample_count == 50]
    values = [r.value for r in sorted(searched, key=lambda r: r.ended or 0)]
    for row in rows:
        if row["n"] == "50":
            assert row["value"] == pytest.approx(100 * max(v for v in values[: row["trial"]] if v is not None))
    assert max(row["trial"] for row in rows if row["n"] == "50") == len(searched)


def test_importances_add_up_and_find_what_matters() -> None:
    """Alpha decides, temperature of kl alone does nothing."""
    records = [
        make_record(
            number, sample_count=20, recipe=Recipe("kl", alpha, {"temperature": 2.0 + number * 37 % 11}), value=alpha
        )
        for number in range(40)
        if (alpha := 0.5 + (number * 17 % 40) / 80)
    ]
    first, second = importances(Results.of(SWEEP, records))
    assert (first.parameter, second.parameter) == ("alpha", "temperature")
    assert first.share > 0.8 and first.share + second.share == pytest.approx(1)
    assert importances(Results.of(SWEEP, records[:11])) == []
    assert importances(Results.of(SWEEP, [replace(record, value=0.5) for record in records])) == []


def test_students_of_several_sizes_have_a_front() -> None:
    records = [
        replace(record, metrics={**record.metrics, "student_flops": flops, "student_parameters": flops / 2})
        for record in RECORDS
        if record.kind is Kind.SEARCH
        for flops in (1000.0 * (1 + record.number % 3),)
    ]
    rows = [row for row in rows_of(drawn(records)["pareto_cost"].spec) if row.get("is_front")]
    for count in COUNTS:
        front = sorted((row["flops"], row["accuracy"]) for row in rows if row["n"] == str(count))
        assert front and front == sorted(front, key=lambda point: point[1])


@pytest.mark.parametrize(
    ("records", "names"),
    [
        ([], set()),
        ([make_record(sample_count=20, value=0.7)], {"data_efficiency", "best_so_far"}),
        (
            [record for record in sample_records((20,))],
            {
                "data_efficiency",
                "labels_saved",
                "temperature_alpha",
                "objectives",
                "importance",
                "best_so_far",
                "fidelity",
            },
        ),
    ],
    ids=["nothing", "one trial", "one sample count"],
)
def test_a_figure_without_data_is_left_out(records: list[TrialRecord], names: set[str]) -> None:
    assert set(drawn(records)) == names


def test_a_minimised_metric_is_shown_as_it_is() -> None:
    sweep = sample_sweep(overrides=["search.metric=val_nll"])
    records = [replace(r, value=r.metrics["val_nll"]) if r.kind is not Kind.CONFIRM else r for r in RECORDS]
    rows = [
        row for row in rows_of(drawn(records, sweep)["best_so_far"].spec) if row.get("n") == "20" and "trial" in row
    ]
    assert [row["value"] for row in rows] == sorted((row["value"] for row in rows), reverse=True)
    assert all(row["value"] < 2 for row in rows)


def test_thinning_is_even_and_keeps_few_as_they_are() -> None:
    assert thin([1, 2, 3]) == [1, 2, 3]
    kept = thin(range(10 * MOST_POINTS))
    assert len(kept) == MOST_POINTS and kept[:3] == [0, 10, 20]
