"""From an exported folder to the student: needs torch and safetensors, and nothing that searches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from torch import nn

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def load(folder: str | Path) -> nn.Module:
    """The student in `folder` (`DIR/n=50`), on the CPU in eval mode: inputs [B, *input_shape] to logits [B, classes].

    Raises:
        InputError: there is no exported student, its files are damaged or do not fit each other, or the code of a
            user's own network cannot be imported here.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from kdsearch.students.store import Description

    folder = Path(folder)
    description = Description.from_dict(read_config(folder)["network"])
    try:
        return description.restore(load_file(folder / WEIGHTS))
    except InputError as error:
        if description.target is None:
            raise
        allowed = f"put its module on the Python path; torch.export.load('{folder}/model.pt2') needs none"
        raise InputError([*error.problems, Problem("_target_", description.target, allowed)]) from error
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError([Problem("folder", folder, f"{WEIGHTS} does not fit {CONFIG} ({reason})")]) from error


def read_config(folder: str | Path) -> dict[str, Any]:
    """What `config.json` says: `network`, `input`, `output`, `preprocessing`, `recipe`, `sample_count`, …

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        config: dict[str, Any] = json.loads((Path(folder) / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        allowed = f"must be a folder such as DIR/n=50 of `kdsearch export` ({type(error).__name__}: {error})"
        raise InputError([Problem("folder", str(folder), allowed)]) from error
    return config
