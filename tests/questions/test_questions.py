"""Verdicts of worlds in which the truth is known, and the numbers behind them by independent arithmetic."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import pytest
from scipy import stats

from kdsearch.ledger.records import TrialRecord
from kdsearch.ledger.records import TrialState
from kdsearch.questions import Answer
from kdsearch.questions import answers
from kdsearch.report.statistics import Estimate
from kdsearch.report.statistics import corrected
from kdsearch.report.statistics import direction
from kdsearch.report.statistics import estimate
from tests.factories import make_record
from tests.questions.worlds import SEARCHED
from tests.questions.worlds import World
from tests.questions.worlds import confirmed
from tests.questions.worlds import quality
from tests.questions.worlds import searched
from tests.questions.worlds import sweep

IDS = (
    *("small_n", "label_smoothing", "dark_knowledge", "objective", "student_size", "teacher_size"),
    *("teacher_samples", "best_teacher", "teacher_quality", "variance"),
)
PAPER: World = {
    "labels": {20: 0.50, 100: 0.70, 800: 0.90},
    SEARCHED: {20: 0.70, 100: 0.85, 800: 0.92},
    "kl": {20: 0.69, 100: 0.84, 800: 0.92},
    "label_smoothing": {20: 0.51, 100: 0.71, 800: 0.92},
    "smoothed_teacher": {20: 0.50, 100: 0.71, 800: 0.91},
    "shuffled_teacher": {20: 0.40, 100: 0.65, 800: 0.88},
}
"""Gains shrink with n; label smoothing is as good where there is much data; dark knowledge is what helps."""


def ask(id: str, rows: list[TrialRecord], **teachers: Mapping[str, object]) -> Answer:
    found = answers(sweep(**teachers), rows)
    assert tuple(answer.id for answer in found) == IDS
    return next(answer for answer in found if answer.id == id)


@pytest.mark.parametrize(
    ("labels", "distilled", "verdict"),
    [
        ({20: 0.50, 800: 0.90}, {20: 0.70, 800: 0.92}, "supported"),
        # In points the gain is smaller where labels only are near chance; relative to them it is larger.
        ({20: 0.10, 800: 0.50}, {20: 0.19, 800: 0.62}, "supported"),
        ({20: 0.50, 800: 0.80}, {20: 0.51, 800: 0.90}, "not supported"),
        ({20: 0.50, 800: 0.50}, {20: 0.60, 800: 0.60}, "unclear"),
        ({20: 0.50}, {20: 0.60}, "not studied"),
    ],
)
def test_amplification(labels: dict[int, float], distilled: dict[int, float], verdict: str) -> None:
    assert ask("small_n", confirmed({"labels": labels, SEARCHED: distilled})).verdict == verdict


def test_a_peak_at_a_middle_count_is_told() -> None:
    world = {"labels": {20: 0.12, 100: 0.35, 800: 0.74}, SEARCHED: {20: 0.22, 100: 0.60, 800: 0.76}}
    answer = ask("small_n", confirmed(world))
    assert answer.verdict == "supported" and "In points it is largest at n=100." in answer.text


@pytest.mark.parametrize(
    ("smoothing", "teacher", "noise", "verdict"),
    [
        # As good where there is much data, and far off where there is little.
        (PAPER["label_smoothing"], PAPER["smoothed_teacher"], 0.002, "not supported"),
        (PAPER["kl"], PAPER["smoothed_teacher"], 0.002, "supported"),
        ({20: 0.62}, {20: 0.62}, 0.03, "unclear"),
    ],
)
def test_label_smoothing(
    smoothing: Mapping[int, float], teacher: Mapping[int, float], noise: float, verdict: str
) -> None:
    rows = confirmed({**PAPER, "label_smoothing": smoothing, "smoothed_teacher": teacher}, noise=noise)
    assert ask("label_smoothing", rows).verdict == verdict


@pytest.mark.parametrize(
    ("shuffled", "verdict"),
    [(PAPER["shuffled_teacher"], "supported"), (PAPER["kl"], "not supported"), ({20: 0.60, 800: 0.92}, "unclear")],
)
def test_dark_knowledge(shuffled: Mapping[int, float], verdict: str) -> None:
    rows = confirmed({**PAPER, "shuffled_teacher": shuffled})
    assert ask("dark_knowledge", rows).verdict == verdict


def test_without_a_clear_gain_there_is_nothing_to_explain() -> None:
    flat = {n: 0.7 for n in (20, 800)}
    rows = confirmed(dict.fromkeys(("labels", "kl", "shuffled_teacher", "label_smoothing"), flat), noise=0.01)
    for id in ("dark_knowledge", "label_smoothing"):
        answer = ask(id, rows)
        assert answer.verdict == "unclear" and "nothing to explain" in answer.text


@pytest.mark.parametrize(
    ("mse", "noise", "verdict"),
    [
        ({20: 0.75, 100: 0.84, 800: 0.92}, 0.002, "supported"),
        (PAPER["kl"], 0.0005, "not supported"),
        (PAPER["kl"], 0.03, "unclear"),
    ],
)
def test_objective(mse: Mapping[int, float], noise: float, verdict: str) -> None:
    assert ask("objective", confirmed({**PAPER, "mse": mse}, noise=noise)).verdict == verdict


def test_student_size_compares_gains_not_accuracies() -> None:
    sizes = {
        "kl": {"student_parameters": {20: 1000, 800: 1000}},
        "kl student=wide": {"student_parameters": {20: 9000, 800: 9000}},
    }
    world = {
        "labels": {20: 0.5, 800: 0.9},
        "kl": {20: 0.6, 800: 0.92},
        "labels student=wide": {20: 0.6, 800: 0.92},
        "kl student=wide": {20: 0.7, 800: 0.94},
    }
    same = ask("student_size", confirmed(world, noise=0.0005, metrics=sizes))
    assert same.verdict == "not supported" and "9,000" in same.text
    more = ask("student_size", confirmed({**world, "kl student=wide": {20: 0.8, 800: 0.94}}, metrics=sizes))
    assert more.verdict == "supported" and "clearly higher at n=20." in more.text


TAUGHT: World = {"labels": {20: 0.5, 800: 0.90}, "kl": {20: 0.6, 800: 0.92}}


def test_teachers_of_another_size_and_of_other_samples_are_told_apart() -> None:
    world = {**TAUGHT, "teacher=big": {20: 0.7, 800: 0.92}, "teacher=few": {20: 0.55, 800: 0.85}}
    teachers = {"big": {"parameter_count": 90_000}, "few": {"sample_count": 100}}
    size = ask("teacher_size", confirmed(world), **teachers)
    samples = ask("teacher_samples", confirmed(world), **teachers)
    assert size.verdict == samples.verdict == "supported"
    assert "with 90,000 parameters over those of the one with 5,000" in size.text
    assert "saw 1,000 samples over those of the one that saw 100" in samples.text
    # 800 samples are more than the 100 that the teacher saw; 20 are not.
    assert "Students with at least as many samples as the latter gain -5." in samples.text
    assert not [evidence for evidence in size.evidence if evidence.estimate.mean == pytest.approx(-0.05, abs=0.01)]


@pytest.mark.parametrize(
    ("other", "noise", "verdict"),
    [
        ({20: 0.65, 800: 0.88}, 0.002, "supported"),
        ({20: 0.65, 800: 0.95}, 0.001, "not supported"),
        ({20: 0.61, 800: 0.91}, 0.02, "unclear"),
        ({20: 0.61}, 0.002, "not studied"),
    ],
)
def test_best_teacher(other: dict[int, float], noise: float, verdict: str) -> None:
    rows = confirmed({**TAUGHT, "teacher=weak": other}, noise=noise)
    assert ask("best_teacher", rows, weak={}).verdict == verdict


def test_a_teacher_under_two_names_is_one() -> None:
    rows = confirmed({**TAUGHT, "teacher=same": {20: 0.9, 800: 0.1}})
    assert ask("best_teacher", rows, same={"hash": "own"}).verdict == "not studied"


@pytest.mark.parametrize(
    ("qualities", "verdict"),
    [
        ({"own": quality(0.95, 0.5), "a": quality(0.90, 0.3), "b": quality(0.85, 0.2)}, "supported"),
        ({"own": quality(0.80, 0.2), "a": quality(0.85, 0.3), "b": quality(0.90, 0.4)}, "not supported"),
        ({"own": quality(0.80, 0.5), "a": quality(0.85, 0.3), "b": quality(0.90, 0.2)}, "unclear"),
    ],
)
def test_teacher_quality(qualities: dict[str, dict[str, float]], verdict: str) -> None:
    """`b` teaches better than `a`, and `a` than the sweep's own."""
    world = {**TAUGHT, "teacher=a": {20: 0.7, 800: 0.93}, "teacher=b": {20: 0.8, 800: 0.95}}
    answer = ask("teacher_quality", confirmed(world), **qualities)
    assert answer.verdict == verdict
    by = {evidence.what: evidence.estimate.mean for evidence in answer.evidence}
    right = 1.0 if verdict != "not supported" else 0.0
    assert by["clear differences ranked right by NLL"] == right


def test_teachers_of_the_same_accuracy_tell_nothing_of_what_accuracy_is_worth() -> None:
    world = {**TAUGHT, "teacher=a": {20: 0.7, 800: 0.93}, "teacher=b": {20: 0.8, 800: 0.95}}
    answer = ask("teacher_quality", confirmed(world), own=quality(0.9, 0.5), a=quality(0.9, 0.3), b=quality(0.9, 0.2))
    assert answer.verdict == "unclear" and not answer.evidence


def test_teacher_quality_of_teachers_that_teach_alike() -> None:
    world = {**TAUGHT, "teacher=a": TAUGHT["kl"], "teacher=b": TAUGHT["kl"]}
    answer = ask("teacher_quality", confirmed(world), a={}, b=quality(0.5, 2.0))
    assert answer.verdict == "unclear" and "no two of the 3 teachers differ clearly" in answer.text
    assert ask("teacher_quality", confirmed(TAUGHT), a={}).verdict == "not studied"


@pytest.mark.parametrize(
    ("with_teacher", "verdict"),
    [({20: 2.0, 800: 0.5}, "supported"), ({20: 9.0, 800: 3.0}, "not supported"), ({20: 2.0, 800: 3.0}, "unclear")],
)
def test_variance(with_teacher: dict[int, float], verdict: str) -> None:
    metrics = {
        "labels": {"val_label_loss_variance": {20: 4.0, 800: 1.0}, "val_teacher_loss_variance": with_teacher},
    }
    answer = ask("variance", confirmed({"labels": TAUGHT["labels"]}, metrics=metrics))
    assert answer.verdict == verdict
    by = {(evidence.what, evidence.sample_count): evidence.estimate.mean for evidence in answer.evidence}
    assert by["variance of the objective with labels", 800] == pytest.approx(1.0 / 800)
    assert by["variance of the objective with the teacher's targets", 20] == pytest.approx(with_teacher[20] / 20)


def test_differences_are_paired_and_of_the_test_split() -> None:
    rows = confirmed(PAPER)
    accuracies = {
        (row.control, row.replicate): row.metrics["test_accuracy"]
        for row in rows
        if row.sample_count == 20 and row.confirms
    }
    differences = [accuracies["kl", r] - accuracies["shuffled_teacher", r] for r in range(5)]
    low, high = stats.t.interval(0.95, 4, statistics.fmean(differences), stats.sem(differences))
    evidence = ask("dark_knowledge", rows).evidence
    found = next(e.estimate for e in evidence if e.what == "kl over shuffled_teacher" and e.sample_count == 20)
    assert (found.low, found.high) == pytest.approx((low, high)) and found.seeds == 5


def test_corrected_intervals() -> None:
    values = [0.1, 0.3, 0.2, 0.25]
    low, high = stats.t.interval(1 - 0.05 / 6, 3, statistics.fmean(values), stats.sem(values))
    found = corrected(estimate(values), 6)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert direction(estimate(values)) == 1 and direction(estimate(values), 6) == 0
    assert direction(Estimate(0.5, None, 1)) == 0 == direction(None)


def test_single_runs_of_the_search_are_told_and_decide_nothing() -> None:
    rows = searched({**PAPER, "teacher=a": PAPER["kl"], "mse": PAPER["kl"]})
    found = answers(sweep(a={}), rows)
    assert {answer.verdict for answer in found} <= {"unclear", "not studied"}
    told = next(answer for answer in found if answer.id == "small_n")
    assert told.verdict == "unclear" and "nothing is confirmed" in told.text and "(one run)" in told.text
    assert {evidence.estimate.ci95 for evidence in told.evidence} == {None}


def test_confirmed_values_push_single_runs_aside() -> None:
    rows = confirmed({"labels": {20: 0.5}, SEARCHED: {20: 0.6}}) + searched(
        {"labels": {800: 0.8}, SEARCHED: {800: 0.9}}
    )
    assert {e.sample_count for answer in answers(sweep(), rows) for e in answer.evidence} <= {20, None}


@pytest.mark.parametrize(
    "rows", [[], [make_record(state=TrialState.FAIL)], [make_record(state=TrialState.RUNNING)], searched({})]
)
def test_sweeps_that_say_nothing(rows: list[TrialRecord]) -> None:
    found = answers(sweep(), rows)
    assert {answer.verdict for answer in found} == {"not studied"}
    assert all(answer.text.startswith("It takes") and answer.text.endswith(".") for answer in found)


def test_a_sweep_that_has_not_trained_its_teacher_yet() -> None:
    from tests.factories import make_sweep

    assert {answer.verdict for answer in answers(make_sweep(teacher={}), searched(PAPER))} == {"unclear", "not studied"}
