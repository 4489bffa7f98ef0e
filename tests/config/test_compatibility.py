"""Which configuration may go on with a sweep that is stored."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kdsearch.config.compatibility import check_compatible
from kdsearch.config.compose import compose_sweep
from kdsearch.errors import InputError


def composed(*overrides: str) -> dict[str, Any]:
    return compose_sweep(overrides, outside_world=False).stored


def before_the_key_was_there(stored: dict[str, Any], *keys: str) -> dict[str, Any]:
    older = copy.deepcopy(stored)
    for key in keys:
        *folders, last = key.split(".")
        node = older
        for folder in folders:
            node = node[folder]
        del node[last]
    return older


def test_a_sweep_that_is_older_than_a_key_goes_on() -> None:
    older = before_the_key_was_there(
        composed(), "training.precision", "training.augmentation", "teacher.seeds", "teachers", "search.pareto"
    )
    check_compatible(older, composed(), extend=False)


@pytest.mark.parametrize(
    ("override", "had"),
    [("training.precision=bf16", "'fp32'"), ("teacher.seeds=3", "1"), ("search.pareto=flops", "None")],
)
def test_but_not_with_another_value_than_it_was_run_with(override: str, had: str) -> None:
    key = override.partition("=")[0]
    older = before_the_key_was_there(composed(), key)
    with pytest.raises(InputError, match=f"{key}=.*the sweep has {had}"):
        check_compatible(older, composed(override), extend=True)
