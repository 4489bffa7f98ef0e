"""A student of texts is exported with the tokenizer that its inputs are made with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from kdsearch.config.schema import ModelConfig
from kdsearch.distiller import EvaluationSet
from kdsearch.distiller import evaluate
from kdsearch.export import load
from kdsearch.export.write import export_sweep
from kdsearch.models import build_model
from kdsearch.students import Description
from kdsearch.students import KeptStudent
from tests.export.test_refusals import KEY
from tests.export.test_refusals import sweep_in

WORDS = ("good", "bad", "film", "the", "plot", "was", "never", "very")


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS, 4)) for _ in range(60)]
    rows = "\n".join(f"{text},{'yes' if index % 2 else 'no'}" for index, text in enumerate(texts))
    (tmp_path / "texts.csv").write_text(f"text,label\n{rows}\n")
    return texts


def test_tokens(texts: list[str], tmp_path: Path) -> None:
    arguments = {"train": "texts.csv", "max_length": 6}
    dataset = {"name": "text", "root": str(tmp_path), "validation_count": 10, "arguments": arguments}
    sweep = sweep_in(tmp_path, dataset=dataset)
    splits = sweep.data()
    config = ModelConfig(name="transformer", depth=1, width=8, heads=2)
    model = build_model(config, (6,), 2, seed=0, vocabulary_size=splits.vocabulary_size)
    description = Description.of(config, (6,), 2, splits.vocabulary_size)
    sweep.students.save(KeptStudent.of(KEY, sweep.record.uid, description, model))
    accuracy = evaluate(model, EvaluationSet.of(splits.validation), final=False)["accuracy"]
    (exported,) = export_sweep(sweep_in(tmp_path, accuracy, dataset=dataset), tmp_path / "out")
    assert exported.left_out == {}
    folder = tmp_path / "out/n=100"
    ids = [encoding.ids for encoding in Tokenizer.from_file(str(folder / "tokenizer.json")).encode_batch(texts)]
    assert set(map(tuple, np.asarray(splits.pool.inputs))) <= set(map(tuple, ids)), "its inputs are made again"
    assert load(folder)(torch.tensor(ids)).shape == (60, 2)
    about = json.loads((folder / "config.json").read_text())
    assert about["preprocessing"] == {"kind": "words"} and about["input"]["dtype"] == "int64"
    card = (folder / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card and "tokenizer.json" in card
