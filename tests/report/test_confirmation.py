from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kdsearch.ledger.records import Reason
from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.recipe import Recipe
from kdsearch.report import summarize
from kdsearch.report.confirmation import choose
from kdsearch.report.confirmation import confirmation_rounds
from kdsearch.report.confirmation import confirmed_recipes
from kdsearch.report.confirmation import failed_seeds
from kdsearch.report.confirmation import paired_gain
from kdsearch.report.statistics import estimate
from kdsearch.report.write import write_report
from tests.factories import LABELS
from tests.factories import make_confirmations
from tests.factories import make_control
from tests.factories import make_record
from tests.factories import make_sweep

HOT = Recipe("kl", 1.0, {"temperature": 20.0})


@pytest.mark.parametrize(
    ("values", "mean", "ci95"),
    [([1.0, 2.0, 3.0], 2.0, 4.302653 / 3**0.5), ([0.8, 0.9], 0.85, 12.706205 * 0.05), ([0.5, 0.5], 0.5, 0.0)],
)
def test_t_intervals(values: list[float], mean: float, ci95: float) -> None:
    found = estimate(values)
    assert found.mean == pytest.approx(mean)
    assert found.seeds == len(values)
    assert found.ci95 == pytest.approx(ci95, rel=1e-6)


def test_one_value_has_no_interval() -> None:
    assert estimate([0.7]).ci95 is None


def test_the_recipe_is_chosen_by_validation_never_by_test() -> None:
    lucky_on_test = make_confirmations("s#1", test=[0.99, 0.99], validation=[0.80, 0.80])
    best_on_validation = make_confirmations(
        "s#2", test=[0.90, 0.92], validation=[0.85, 0.85], recipe=HOT, first_number=10
    )
    chosen = choose(confirmed_recipes(lucky_on_test + best_on_validation), "val_accuracy")
    assert chosen is not None and chosen.confirms == "s#2"
    assert chosen.test().mean == pytest.approx(0.91)


def test_a_minimised_metric_turns_the_choice_round() -> None:
    low, high = (
        make_confirmations(key, test=[0.9], validation=[0.9], first_number=number, value=value)
        for key, number, value in (("s#1", 0, 0.2), ("s#2", 5, 0.4))
    )
    chosen = choose(confirmed_recipes(high + low), "val_nll")
    assert chosen is not None and chosen.confirms == "s#1"


def test_a_recipe_with_fewer_finished_seeds_does_not_win_by_luck() -> None:
    half = make_confirmations("s#1", test=[0.9], validation=[0.99])
    whole = make_confirmations("s#2", test=[0.8, 0.8], validation=[0.9, 0.9], first_number=10)
    chosen = choose(confirmed_recipes(half + whole), "val_accuracy")
    assert chosen is not None and chosen.confirms == "s#2"


def test_gains_are_paired_by_replicate() -> None:
    distilled = make_confirmations("s#1", test={0: 0.80, 1: 0.90, 2: 0.70}, validation={0: 0.8, 1: 0.9, 2: 0.7})
    labels = make_confirmations(
        "c#0", {1: 0.80, 2: 0.58, 3: 0.99}, {1: 0.8, 2: 0.6, 3: 0.9}, recipe=LABELS, control="labels", first_number=9
    )
    ours, theirs = sorted(confirmed_recipes(distilled + labels), key=lambda recipe: recipe.is_labels)
    gain = paired_gain(ours, theirs)
    assert gain is not None
    assert gain.mean == pytest.approx(0.11)
    assert gain.seeds == 2
    assert gain.ci95 == pytest.approx(12.706205 * 0.01, rel=1e-5)


def test_no_shared_replicate_no_gain() -> None:
    ours = make_confirmations("s#1", {0: 0.8}, {0: 0.8})
    theirs = make_confirmations("c#0", {1: 0.7}, {1: 0.7}, recipe=LABELS, control="labels", first_number=9)
    distilled, labels = sorted(confirmed_recipes(ours + theirs), key=lambda recipe: recipe.is_labels)
    assert paired_gain(distilled, labels) is None


def test_the_confirmed_rival_that_was_searched_is_labels_only_too() -> None:
    rival = make_control(
        "labels_searched",
        number=4,
        recipe=Recipe("labels", 0.0, training={"learning_rate": 0.1}),
        params={"learning_rate": 0.1},
    )
    runs = make_confirmations(rival.key, [0.7], [0.7], recipe=rival.recipe, control="labels_searched")
    (recipe,) = confirmed_recipes([rival, *runs])
    assert recipe.is_labels


def test_unfinished_confirmations_do_not_count() -> None:
    failed = make_record(3, state=TrialState.FAIL, confirms="s#1", replicate=1)
    assert confirmed_recipes([failed]) == []


def failing(record: TrialRecord) -> TrialRecord:
    return replace(record, state=TrialState.FAIL, reason=Reason.NON_FINITE, metrics={}, value=None)


def with_failures(distilled: set[int], labels: set[int], seeds: int = 4) -> list[TrialRecord]:
    """A recipe and labels only at n=100, with the seeds that failed; seed r of the recipe gains r points."""
    ours = make_confirmations("sweep/n=100#0", [0.7 + r / 100 for r in range(seeds)], [0.7] * seeds)
    theirs = make_confirmations("c#0", [0.7] * seeds, [0.6] * seeds, recipe=LABELS, control="labels", first_number=20)
    runs = [(record, distilled) for record in ours] + [(record, labels) for record in theirs]
    confirmed = [failing(record) if record.replicate in lost else record for record, lost in runs]
    return [make_record(0, value=0.75), make_control(val_accuracy=0.6), *confirmed]


ONE_COUNT = {"sample_counts": [100]}


def test_means_are_those_of_the_seeds_that_finished_and_gains_those_in_common(tmp_path: Path) -> None:
    sweep, records = make_sweep(config=ONE_COUNT), with_failures(distilled={0}, labels={3})
    (summary,) = summarize(sweep, records)
    assert summary.distilled is not None and summary.labels is not None and summary.gain is not None
    assert summary.distilled.mean == pytest.approx(0.72)
    assert summary.distilled.seeds == 3
    assert (summary.labels.seeds, summary.gain.seeds) == (3, 2)
    assert summary.gain.mean == pytest.approx(0.015)
    html = write_report(sweep, records, tmp_path).read_text()
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["counts"][0]["failed_seeds"] == {"distilled": 1, "labels": 1}
    assert html.count("1 more seed failed") == 2
    told = "Seeds of the confirmation failed, of kl T=4.2 a=0.80 at n=100 (1 of 4), labels at n=100 (1 of 4)"
    assert any(told in remark for remark in document["remarks"]) and told in html


@pytest.mark.parametrize(
    ("distilled", "labels", "words"),
    [
        ({0, 1, 2}, set(), ["rests on one seed, so it has no interval", "(one seed, so without an interval)"]),
        ({0, 1}, {2, 3}, ["no seed in common at n=100", "without a labels-only result of the same seeds"]),
        ({0, 1, 2, 3}, set(), ["Every seed of the confirmation failed of kl", "not confirmed on the test split"]),
        (set(), {0, 1, 2, 3}, ["Every seed of the confirmation failed of labels", "no labels-only result at n=100"]),
        ({0, 1, 2, 3}, {0, 1, 2, 3}, ["kl T=4.2 a=0.80 at n=100 (4 of 4), labels at n=100 (4 of 4)"]),
    ],
    ids=["one seed", "none in common", "no recipe", "no labels", "nothing"],
)
def test_what_failed_is_said(distilled: set[int], labels: set[int], words: list[str], tmp_path: Path) -> None:
    html = write_report(make_sweep(config=ONE_COUNT), with_failures(distilled, labels), tmp_path).read_text()
    document = json.loads((tmp_path / "report.json").read_text())
    said = " ".join([document["verdict"], *document["remarks"]])
    for text in words:
        assert text in said and text in html
    assert "The figure " not in html


def test_a_seed_that_failed_and_then_finished_has_not_failed() -> None:
    (run,) = make_confirmations("s#1", [0.8], [0.8])
    again = failing(replace(run, number=7))
    assert failed_seeds([run, again]) == []
    assert confirmed_recipes([again, run])[0].failed == 0


def test_rounds_are_attempts_that_began_a_new_recipe() -> None:
    first = make_confirmations("s#1", [0.8, 0.8], [0.8, 0.8], attempts=(1,))
    late_seed = make_confirmations("s#1", {2: 0.8}, {2: 0.8}, first_number=5, attempts=(2,))
    new = make_confirmations("s#7", [0.8], [0.8], first_number=8, attempts=(3,))
    assert confirmation_rounds([]) == 0
    assert confirmation_rounds(first + late_seed) == 1
    assert confirmation_rounds(first + late_seed + new) == 2
