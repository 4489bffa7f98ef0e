"""The model card: README.md, with the front matter of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdsearch.report.statistics import Estimate
from kdsearch.report.wording import percent
from kdsearch.report.wording import points

TEMPLATE = "card.md"
METRICS = ("test_balanced_accuracy", "test_nll", "test_ece", "test_noise_accuracy_0.1", "membership_auc")
"""Shown beside the accuracy, where they were measured; `config.json` has all."""

TASKS = {"pixels": "image-classification", "images": "image-classification", "columns": "tabular-classification"}
"""The hub's name of the task, by kind of preprocessing."""


def model_card(config: Mapping[str, Any], folder: str) -> str:
    """README.md for what `config.json` holds; `folder` is what the student is loaded from."""
    from jinja2 import Environment
    from jinja2 import PackageLoader
    from jinja2 import StrictUndefined

    environment = Environment(
        loader=PackageLoader("kdsearch.export"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    title = f"{config['dataset']['name']}, n={config['sample_count']}: {config['recipe_label']}"
    return environment.get_template(TEMPLATE).render(
        front_matter=front_matter(config), title=_text(title), card=_card(config, folder)
    )


def front_matter(config: Mapping[str, Any]) -> str:
    """YAML between `---` lines: licence, data, metrics and results as the hub reads them."""
    import yaml

    name, estimate = config["dataset"]["name"], config["metrics"]["distilled"]["test_accuracy"]
    kind = "text-classification" if config["input"]["vocabulary_size"] else "other"
    task = TASKS.get((config["preprocessing"] or {}).get("kind", ""), kind)
    result = {
        "task": {"type": task},
        "dataset": {"name": name, "type": name, "split": "test"},
        "metrics": [{"type": "accuracy", "name": "test accuracy", "value": round(estimate["mean"], 6)}],
    }
    values = {
        "license": "other",
        "license_name": "unknown",
        "library_name": "kdsearch",
        "tags": ["knowledge-distillation", "kdsearch"],
        "datasets": [name],
        "metrics": ["accuracy"],
        **({} if task == "other" else {"pipeline_tag": task}),
        "model-index": [{"name": f"{config['sweep']}-n{config['sample_count']}", "results": [result]}],
    }
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---\n"


def _card(config: Mapping[str, Any], folder: str) -> dict[str, Any]:
    distilled = config["metrics"]["distilled"]
    estimate = Estimate(**distilled["test_accuracy"])
    network, inputs, teacher, used = config["network"], config["input"], config["teacher"], config["labels_used"]
    target = network["model"].get("_target_")
    names = config["output"]["class_names"]
    efficiency = config["data_efficiency"]
    return {
        "labels": f"{config['sample_count']} labelled samples",
        "dataset": _code(config["dataset"]["name"]),
        "recipe_label": _code(config["recipe_label"]),
        "results": _results(config),
        "rounds": config["confirmation_rounds"],
        "seeds": estimate.seeds,
        "val_accuracy": f"{100 * config['student']['val_accuracy']:.1f}",
        "data_efficiency": efficiency["words"] if efficiency["words"] != "–" else "",
        "metrics": [(name, _metric(name, distilled[name])) for name in METRICS if name in distilled],
        "subset": _code(config["dataset"]["subset"]),
        "sample_count": config["sample_count"],
        "validation_labels": used["validation"],
        "teacher_labels": used["teacher"],
        "unlabelled": used["unlabelled"],
        "class_count": config["output"]["class_count"],
        "class_names": ", ".join(f"`{_code(name)}`" for name in names[:100]) if names else "",
        "recipe": [(_text(str(k)), _code(str(v))) for k, v in {**config["recipe"], **config["training"]}.items()],
        "teacher_name": _code(str(teacher.get("name"))),
        "teacher_parameters": f"{teacher['parameter_count']:,}" if "parameter_count" in teacher else "?",
        "teacher_accuracy": f"{100 * teacher['val_accuracy']:.1f}" if "val_accuracy" in teacher else "?",
        "teacher_hash": _code(str(teacher.get("hash"))),
        "network": _code(target or network["model"]["name"]),
        "parameters": f"{config['student']['parameters']:,}",
        "folder": folder,
        "input_type": inputs["dtype"],
        "input_shape": ", ".join(map(str, inputs["shape"])),
        "target": None if target is None else _code(target),
        "has_program": "model.pt2" not in config["left_out"],
        "has_onnx": "model.onnx" not in config["left_out"],
        "preprocessing": _preprocessing(config["preprocessing"]),
        "checked": config["checked_samples"],
        "left_out": [(name, _text(reason)) for name, reason in config["left_out"].items()],
        "trial": _code(config["student"]["trial"]),
        "sweep": _code(config["sweep"]),
        "uid": config["uid"],
        "version": config["kdsearch"],
    }


def _results(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    metrics, student = config["metrics"], config["student"]
    rows: list[tuple[str, str, Any]] = [("this student", f"{100 * student['test_accuracy']:.1f}", 1)]
    distilled = Estimate(**metrics["distilled"]["test_accuracy"])
    rows.append(("its recipe", percent(distilled), distilled.seeds))
    if metrics["labels"] is not None:
        labels = Estimate(**metrics["labels"]["test_accuracy"])
        rows.append(("labels only, as many samples", percent(labels), labels.seeds))
    if config["gain"] is not None:
        gain = Estimate(**config["gain"])
        rows.append(("gain of the recipe over labels only, points", points(gain), gain.seeds))
    return [{"name": name, "accuracy": accuracy, "seeds": seeds} for name, accuracy, seeds in rows]


def _metric(name: str, value: Mapping[str, Any]) -> str:
    half = "" if value["ci95"] is None else f" ± {value['ci95']:.3f}"
    return f"{value['mean']:.3f}{half}"


_NORMALISED = "`(pixel / divisor - mean) / deviation`, channel by channel, as [channels, height, width]"


def _preprocessing(how: Mapping[str, Any] | None) -> str:
    kinds = {
        "pixels": f"Inputs are {_NORMALISED}.",
        "images": (
            "Images are resized so that the shorter side has `size` pixels (bilinear, antialiased), cut at the longer "
            f"side's ends, then {_NORMALISED}."
        ),
        "columns": (
            "Inputs are the numeric columns as `(value - mean) / deviation`, then one column for each value of the "
            "categorical ones; `config.json` names them in their order."
        ),
        "words": (
            'Inputs are token ids: `tokenizers.Tokenizer.from_file("tokenizer.json").encode(text).ids`, with the file '
            "that lies here."
        ),
    }
    if how is None:
        return "What inputs are made from raw samples by is the data set's own code; kdsearch changes nothing in them."
    constants = {key: how[key] for key in ("size", "color", "divisor", "mean", "deviation") if key in how}
    listed = ", ".join(f"{key} {value}" for key, value in constants.items())
    return kinds[how["kind"]] + (f" Here: {listed}." if listed else "")


def _code(text: str) -> str:
    """For between backticks in a table: on one line, without what would end them."""
    return " ".join(text.split()).replace("`", "'").replace("|", "/")


def _text(text: str) -> str:
    """For Markdown text: on one line, and no character means anything."""
    flat = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in flat)
