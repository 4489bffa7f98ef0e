"""`+preset=paper`: a file of the group `preset`, which sets keys of a sweep and makes variants of teacher and student.

Such a file has a node `preset` beside the keys that it sets. They refer to it (`${preset.sizes.${preset.size}.seeds}`),
so overrides like `preset.size=full` work; what is meant is settled here, and what is stored has no `preset`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig
from omegaconf import ListConfig
from omegaconf import OmegaConf
from omegaconf import open_dict
from omegaconf.errors import OmegaConfBaseException

from kdsearch.config.overrides import Line
from kdsearch.config.several import PLURAL
from kdsearch.config.several import SINGULAR
from kdsearch.config.suggest import one_of
from kdsearch.errors import Problem

GROUP = "preset"
_REFERENCE = f"${{{GROUP}."


def added(line: Line) -> Line:
    """A choice of a preset as Hydra wants it, with the `+` that may be left out."""
    return replace(line, text=f"+{line.text.lstrip('+')}") if line.key == GROUP else line


def partition_orphans(lines: Iterable[Line]) -> tuple[list[Line], list[Problem]]:
    """The lines that need no preset, and what is wrong with the others where none is chosen."""
    lines = list(lines)
    orphans = [line for line in lines if line.key.startswith(f"{GROUP}.")]
    problems = [Problem(line.key, line.value, f"there is no preset; +{GROUP}=paper chooses one") for line in orphans]
    return [line for line in lines if line not in orphans], problems


def settle(config: DictConfig) -> list[Problem]:
    """Put what a preset means into `config`, in place, and take its node away; what is wrong with it."""
    preset = config.get(GROUP)
    if preset is None:
        return []
    problems = _size_problems(preset)
    _add_variants(config, preset)
    _settle_references(config)
    _leave_out_choices(config)
    with open_dict(config):
        del config[GROUP]
    return problems


def at_share(counts: Any, share: float) -> int | None:
    """The sample count that is `share` of the way from the first to the last; None where `counts` are none."""
    if not isinstance(counts, Sequence) or isinstance(counts, str):
        return None
    whole = sorted(count for count in counts if isinstance(count, int))
    return whole[round(share * (len(whole) - 1))] if whole else None


OmegaConf.register_new_resolver("count_at", at_share, replace=True)
_COMPUTED = "${count_at:"


def _size_problems(preset: DictConfig) -> list[Problem]:
    """A size that the preset does not have; its first then stands in."""
    sizes = [str(name) for name in preset.sizes]
    if str(preset.size) in sizes:
        return []
    wrong, preset.size = preset.size, sizes[0]
    return [Problem(f"{GROUP}.size", wrong, one_of(wrong, sizes))]


def _add_variants(config: DictConfig, preset: DictConfig) -> None:
    """Of teacher and student, by name: the sweep's own with what the preset changes in it. Nothing searches them."""
    for group, plural in PLURAL.items():
        own = config.get(group)
        if not isinstance(own, DictConfig) or not isinstance(config.get(plural), DictConfig):
            continue
        of_network = preset.get(plural, {}).get(str(_network(own)), {})
        for name, changes in {**preset.get(plural, {}).get("any", {}), **of_network}.items():
            if name not in config[plural]:
                variant = OmegaConf.merge(_plain(own), _plain(changes), {"name": name} if group == "teacher" else {})
                with open_dict(config):
                    config[plural][name] = variant


def _leave_out_choices(config: DictConfig) -> None:
    """Take `teachers` and `students` from the controls where there are none, as of a network without variants."""
    if isinstance(config.controls, ListConfig):
        controls = OmegaConf.to_container(config.controls, resolve=False)
        empty = [plural for plural in SINGULAR if not config.get(plural)]
        config.controls = [control for control in controls if control not in empty]  # type: ignore[union-attr]


def _network(own: DictConfig) -> object:
    return own.get("model", own).get("name")


def _plain(node: DictConfig) -> Any:
    return OmegaConf.to_container(node, resolve=False)


def _settle_references(node: DictConfig | ListConfig) -> None:
    """Replace every reference to the preset, and to what it computes, by its value."""
    unresolved = OmegaConf.to_container(node, resolve=False)
    for key in list(node) if isinstance(node, DictConfig) else range(len(node)):
        text = unresolved[key]  # type: ignore[index]
        if key == GROUP:
            continue
        if isinstance(text, str) and (_REFERENCE in text or _COMPUTED in text):
            try:
                value = node[key]
            except OmegaConfBaseException:
                continue  # told when all references are followed
            node[key] = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        elif isinstance(text, dict | list):
            _settle_references(node[key])
