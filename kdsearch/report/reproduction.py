"""From a stored configuration back to the overrides that compose it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from kdsearch.config.presets import GROUP as PRESET
from kdsearch.errors import InputError

STUDENT_KEYS = ("seed", "dataset", "teacher", "student", "training", "features")
"""What one student's training depends on."""
SWEEP_KEYS = (
    "name",
    *STUDENT_KEYS,
    "teachers",
    "students",
    "search_space",
    "sample_counts",
    "trials_per_count",
    "time_budget",
    "search",
    "controls",
    "confirm",
    "sampler",
    "pruner",
)
"""What a sweep's results depend on."""

_TARGETS = {"dataset": "dataset._target_", "teacher": "teacher.model._target_", "student": "student._target_"}
_SEVERAL = {"teacher": "teachers", "student": "students"}
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./:@+-]*|\$\{[^{}']+\}")
_MEANS_MORE = re.compile(r"(?i)null|true|false|inf|nan")


class Composer:
    """Finds overrides that compose a configuration, and remembers what it has composed on the way."""

    def __init__(self) -> None:
        self._composed: dict[tuple[str, ...], dict[str, Any]] = {}

    def overrides(self, config: Mapping[str, Any], keys: Sequence[str]) -> list[str] | None:
        """Overrides with which `kdsearch` composes what `config` has under `keys`; None where none are found.

        They have been tried: what they compose is the same, and so are the defaults of keys that one of both lacks.
        What is stored does not say whether a preset has set keys: where it takes none, there is none.
        """
        presets = [[f"+{PRESET}={name}"] for name in self._options[PRESET]] if "controls" in keys else []
        found = (self._told(config, keys, preset) for preset in ([], *presets))
        return next((overrides for overrides in found if overrides is not None), None)

    def _told(self, config: Mapping[str, Any], keys: Sequence[str], preset: Sequence[str]) -> list[str] | None:
        wanted = leaves(config)
        try:
            choices = [*preset, *self._choices(wanted, config, keys, preset)]
            differing = _differing(wanted, self._compose(choices), keys)
            values = [f"{key}={_text(wanted[key])}" for key in differing if key in wanted]
            found = [*choices, *(value for value in values if value not in choices)]
            return None if _differing(wanted, self._compose(found), keys) else found
        except InputError:  # a file of a group, or a part of one, that is not there any more
            return None

    def _choices(
        self, wanted: Mapping[str, Any], config: Mapping[str, Any], keys: Sequence[str], preset: Sequence[str]
    ) -> Iterator[str]:
        """Of the groups; teacher, student and search space where data set and preset do not bring them along."""
        options = self._options
        data = [*_choice("dataset", wanted, options["dataset"])]
        yield from data
        own = self._compose([*preset, *data])
        for group, several in _SEVERAL.items():
            names = list(config.get(several) or ()) if several in keys else []
            if any(not _is_in_any(own, f"{several}.{name}") for name in names):
                yield f"{group}={_text(names)}"
            elif own.get(f"{group}.name") != wanted.get(f"{group}.name"):
                yield from _choice(group, wanted, options[group])
        if "search_space" in keys and _differing(wanted, own, ("search_space",)):
            yield from _space(wanted, options["search_space"])

    @functools.cached_property
    def _options(self) -> dict[str, list[str]]:
        from kdsearch.config.compose import group_options

        return group_options()

    def _compose(self, overrides: Sequence[str]) -> dict[str, Any]:
        from kdsearch.config.compose import compose_sweep

        key = tuple(overrides)
        if key not in self._composed:
            self._composed[key] = leaves(compose_sweep(overrides, outside_world=False).stored)
        return self._composed[key]


def leaves(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value by its dotted key."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _choice(group: str, wanted: Mapping[str, Any], options: Sequence[str]) -> Iterator[str]:
    """The file that comes closest to what is wanted, and what it leaves to be given."""
    name, target = str(wanted.get(f"{group}.name")), wanted.get(_TARGETS[group])
    family = re.match(r"[a-z]+", name)
    alike = [option for option in options if family is not None and option.startswith(family[0])]
    chosen = "custom" if target is not None else name if name in options else next(iter(alike), None)
    if chosen is not None:
        yield f"{group}={chosen}"
    if target is not None:
        yield f"{_TARGETS[group]}={_text(target)}"


def _space(wanted: Mapping[str, Any], options: Sequence[str]) -> Iterator[str]:
    from omegaconf import OmegaConf

    from kdsearch.config.spaces import space_files

    files = space_files()
    for name in options:
        there = OmegaConf.to_container(OmegaConf.load(files[name]), resolve=False)
        if isinstance(there, dict) and not _differing(wanted, leaves({"search_space": there}), ("search_space",)):
            yield f"search_space={name}"
            return


def _differing(wanted: Mapping[str, Any], composed: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    from kdsearch.config.schema import default_of

    def value(config: Mapping[str, Any], key: str) -> Any:
        return config[key] if key in config else default_of(key)

    names = [name for name in dict.fromkeys([*wanted, *composed]) if _is_in(name, keys)]
    return [name for name in names if value(wanted, name) != value(composed, name)]


def _is_in_any(names: Iterable[str], key: str) -> bool:
    return any(_is_in(name, (key,)) for name in names)


def _is_in(name: str, keys: Sequence[str]) -> bool:
    return name in keys or name.startswith(tuple(f"{key}." for key in keys))


def _text(value: Any) -> str:
    """In Hydra's grammar."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case Mapping():
            return "{" + ",".join(f"{key}:{_text(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(_text(item) for item in value) + "]"
    text = str(value)
    if _PLAIN.fullmatch(text) and not _MEANS_MORE.fullmatch(text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
