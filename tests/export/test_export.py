"""`kdsearch export` of a real small sweep."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from safetensors.numpy import load_file

from kdsearch.data import digits
from kdsearch.errors import InputError
from kdsearch.export import load
from kdsearch.ledger import Kind
from kdsearch.ledger import TrialRecord
from kdsearch.sweep import Sweep
from tests.e2e.harness import Workplace
from tests.kept import COUNTS
from tests.kept import finished


@pytest.fixture(scope="module")
def workplace() -> Workplace:
    return finished()


@pytest.fixture(scope="module")
def sweep(workplace: Workplace) -> Sweep:
    return workplace.load()


@pytest.fixture(scope="module")
def printed(workplace: Workplace) -> str:
    return workplace.run("export", "digits", "--output", "out").stdout


@pytest.fixture(scope="module")
def output(workplace: Workplace, printed: str) -> Path:
    return workplace.folder / "out"


def config(output: Path, count: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / f"n={count}" / "config.json").read_text())
    return found


def trial(sweep: Sweep, output: Path, count: int) -> TrialRecord:
    key = config(output, count)["student"]["trial"]
    return next(record for record in sweep.records if record.key == key)


def numpy_logits(weights: dict[str, Any], inputs: Any) -> Any:
    """The forward pass of an MLP with one hidden layer, by hand."""
    hidden = np.maximum(inputs.reshape(len(inputs), -1) @ weights["stage1.0.weight"].T + weights["stage1.0.bias"], 0)
    return hidden @ weights["head.weight"].T + weights["head.bias"]


def test_every_confirmed_trial_has_kept_its_student(workplace: Workplace, sweep: Sweep) -> None:
    confirmed = [record for record in sweep.records if record.kind is Kind.CONFIRM]
    folder = workplace.folder / "kdsearch-data/sweeps/digits/students"
    assert {str(file.relative_to(folder)) for file in folder.rglob("*.*")} == {
        f"n={record.sample_count}/{record.number}.safetensors" for record in confirmed
    }
    assert len(confirmed) == len(COUNTS) * 4 * 3


@pytest.mark.parametrize("count", COUNTS)
def test_the_files(output: Path, printed: str, count: int) -> None:
    names = {"model.safetensors", "model.pt2", "model.onnx", "config.json", "README.md"}
    assert {file.name for file in (output / f"n={count}").iterdir()} == names
    assert config(output, count)["left_out"] == {} and config(output, count)["checked_samples"] == 64
    assert f"n={count}  " in printed and "model.onnx" in printed and "without" not in printed
    assert not list(output.parent.glob(".out*")), "nothing half-written is left"


@pytest.mark.parametrize("count", COUNTS)
def test_the_weights_are_those_that_the_confirmation_scored(sweep: Sweep, output: Path, count: int) -> None:
    weights = load_file(output / f"n={count}" / "model.safetensors")
    test = digits.load()
    logits = numpy_logits(weights, np.asarray(test.test_inputs))
    accuracy = float((logits.argmax(axis=1) == test.test_targets).mean())
    record = trial(sweep, output, count)
    assert accuracy == pytest.approx(record.metrics["test_accuracy"], abs=1e-9)
    assert accuracy == pytest.approx(config(output, count)["student"]["test_accuracy"], abs=1e-9)
    with torch.no_grad():
        found = load(output / f"n={count}")(torch.from_numpy(np.asarray(test.test_inputs))).numpy()
    assert np.abs(found - logits).max() < 1e-4


@pytest.mark.parametrize("count", COUNTS)
def test_the_student_is_the_best_of_its_recipe_on_validation(sweep: Sweep, output: Path, count: int) -> None:
    record = trial(sweep, output, count)
    replicates = [other for other in sweep.records if other.confirms == record.confirms]
    assert len(replicates) == 3
    assert record.metrics["val_accuracy"] == max(other.metrics["val_accuracy"] for other in replicates)
    means: dict[str, list[float]] = {}
    for other in sweep.records:
        if other.kind is Kind.CONFIRM and other.sample_count == count and other.control is None:
            means.setdefault(str(other.confirms), []).append(other.metrics["val_accuracy"])
    assert record.confirms == max(means, key=lambda key: np.mean(means[key]))


@pytest.mark.parametrize("count", COUNTS)
def test_the_card_says_what_the_report_says(sweep: Sweep, output: Path, count: int) -> None:
    card = ModelCard.load(output / f"n={count}" / "README.md")
    assert card.data.license == "other" and card.data.pipeline_tag == "image-classification"
    assert card.data.datasets == ["digits"] and card.data.metrics == ["accuracy"]
    result = next(row for row in sweep.results["counts"] if row["sample_count"] == count)
    assert card.data.eval_results is not None
    assert card.data.eval_results[0].metric_value == pytest.approx(result["distilled"]["mean"], abs=1e-6)
    rows = dict(re.findall(r"^\| (its recipe|labels only, as many samples|gain [^|]*) \| ([^|]*) \|", card.text, re.M))
    for name, (mean, half) in {
        "its recipe": (result["distilled"]["mean"], result["distilled"]["ci95"]),
        "labels only, as many samples": (result["labels"]["mean"], result["labels"]["ci95"]),
        "gain of the recipe over labels only, points": (result["gain"], result["gain_ci95"]),
    }.items():
        shown_mean, shown_half = map(float, rows[name].split(" ± "))
        assert (shown_mean, shown_half) == pytest.approx((100 * mean, 100 * half), abs=0.051)
    for label in (f"| training, stratified | {count} |", "(validation) | 300 |", "| the teacher | 1047 |"):
        assert label in card.text
    assert str(output.parent) not in card.content, "a card is handed out; where it was made says nothing"


def test_constants_of_the_inputs(output: Path) -> None:
    found = config(output, COUNTS[0])
    how = found["preprocessing"]
    from sklearn.datasets import load_digits

    pixels = load_digits().images[0]
    inputs = (pixels / how["divisor"] - how["mean"][0]) / how["deviation"][0]
    known = np.concatenate([np.asarray(part) for part in (digits.load().train_inputs, digits.load().test_inputs)])
    assert (np.abs(known[:, 0] - inputs).max(axis=(1, 2)) < 1e-6).any()
    assert found["input"] == {"shape": [1, 8, 8], "dtype": "float32", "vocabulary_size": None}
    assert found["output"]["class_names"] == list("0123456789")


def test_three_lines_without_the_search_stack(output: Path, tmp_path: Path) -> None:
    code = (
        "from kdsearch.export import load\n"
        f"student = load({str(output / 'n=20')!r})\n"
        "import torch; print(tuple(student(torch.zeros(3, 1, 8, 8)).shape))\n"
        "import sys; print(sorted({'ray', 'optuna', 'mlflow', 'hydra', 'sqlalchemy', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines() == ["(3, 10)", "[]"]


def test_the_program_needs_torch_alone(output: Path, tmp_path: Path) -> None:
    code = (
        "import torch, sys\n"
        f"student = torch.export.load({str(output / 'n=20' / 'model.pt2')!r}).module()\n"
        "print(tuple(student(torch.zeros(3, 1, 8, 8)).shape), 'kdsearch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.split("\n")[0] == "(3, 10) False"


def test_nothing_is_mixed_with_other_files(workplace: Workplace, output: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in output.rglob("*")}
    refused = workplace.run("export", "digits", "--output", "out", expect=2)
    assert refused.stderr.count("\n") == 1 and "--output" in refused.stderr and "not empty" in refused.stderr
    assert {file: file.stat().st_mtime_ns for file in output.rglob("*")} == before
    refused = workplace.run("export", "digit", "--output", "other", expect=2)
    assert refused.stderr.count("\n") == 1 and "did you mean digits" in refused.stderr
    assert not (workplace.folder / "other").exists()


def test_a_folder_that_holds_no_student(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="DIR/n=50"):
        load(tmp_path)
    network = {"model": {"name": "mlp", "hidden": [3]}, "input_shape": [2], "class_count": 2}
    (tmp_path / "config.json").write_text(json.dumps({"network": network}))
    with pytest.raises(InputError, match=r"model\.safetensors"):
        load(tmp_path)


def test_front_matter_is_yaml_whatever_names_are(output: Path) -> None:
    from kdsearch.export.card import model_card

    hostile = config(output, 20)
    name = 'x"\n---\nlicense: mit\n| <script>alert(1)</script> `'
    hostile["dataset"]["name"] = name
    text = model_card(hostile, "out/n=20")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "other" and yaml.safe_load(front)["datasets"] == [" ".join(name.split())]
    assert ModelCard(text).data.to_dict()["license"] == "other"
    outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", body, flags=re.S)
    assert "<script" not in outside_code.replace("\\<", ""), "Markdown would take it for HTML"
