"""`cluster/README.md` says what every file is for, and keeps each recipe short."""

from __future__ import annotations

import re

import pytest

from tests.cluster.files import CLUSTER

TEXT = (CLUSTER / "README.md").read_text()
RECIPES = ("One machine, shared", "AWS", "Kubernetes", "Slurm")


def test_names_files_that_exist() -> None:
    named = set(re.findall(r"cluster/([\w.-]+\w)", TEXT))
    assert named and all((CLUSTER / name).exists() for name in named)


def test_names_every_file() -> None:
    files = {file.name for file in CLUSTER.iterdir() if file.is_file()} - {"README.md"}
    assert {file for file in files if file not in TEXT} == {"kuberay-secret.example.yaml"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_ten_commands_at_most(recipe: str) -> None:
    section = TEXT.partition(f"\n## {recipe}\n")[2].partition("\n## ")[0]
    first_block = re.search(r"(?:^|\n)\n((?:    .+\n)+)", section)
    assert first_block is not None
    commands = re.sub(r"\\\n\s+", "", first_block[1]).splitlines()
    assert 5 <= len(commands) <= 10
