"""The names that a network can have and the keys that each takes, known without importing torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence

RESNETS: Mapping[str, tuple[int, tuple[int, int, int, int]]] = {
    **{f"resnet{depth}": (depth, (16, 16, 32, 64)) for depth in (8, 14, 20, 32, 44, 56, 110)},
    **{f"resnet{depth}x4": (depth, (32, 64, 128, 256)) for depth in (8, 32)},
}
"""CIFAR ResNets: depth, and channels of the stem and the three stages."""

BUILT_IN = ("mlp", "cnn", "transformer", *RESNETS)
LIBRARIES = ("torchvision", "timm")
MODELS = (*BUILT_IN, "wrn_<depth>_<width>", *(f"{library}/<name>" for library in LIBRARIES))
"""What a network can be called; anything else is a `_target_`."""

_WRN = re.compile(r"wrn_(\d+)_([1-9]\d*)")
_EXAMPLES = ("wrn_16_2", "wrn_40_1", "wrn_40_2", "wrn_28_10", "torchvision/resnet18", "timm/resnet18")
_KEYS: Mapping[str, tuple[str, ...]] = {
    "mlp": ("hidden", "dropout"),
    "cnn": ("channels", "dropout"),
    "transformer": ("depth", "width", "heads", "dropout"),
    "resnet": (),
    "wrn": ("dropout",),
    "torchvision": ("pretrained", "arguments"),
    "timm": ("pretrained", "arguments"),
}


def family(name: str) -> str | None:
    """`mlp`, `cnn`, `transformer`, `resnet`, `wrn`, `torchvision` or `timm`; None for a name of no such form."""
    if name in RESNETS:
        return "resnet"
    if _WRN.fullmatch(name):
        return "wrn"
    prefix, slash, _ = name.partition("/")
    if slash:
        return prefix if prefix in LIBRARIES else None
    return name if name in BUILT_IN else None


def name_problem(name: str) -> str | None:
    """What is allowed instead of `name`, or None; asks torchvision or timm only for a name of theirs."""
    match family(name):
        case None:
            # Here, since kdsearch.config needs this module.
            from kdsearch.config.suggest import did_you_mean

            meant = did_you_mean(name, [*BUILT_IN, *_EXAMPLES])
            return f"must be one of {', '.join(MODELS)}, or have a `_target_`{meant}"
        case "wrn":
            depth, _ = wrn_sizes(name)
            return None if depth >= 10 and depth % 6 == 4 else "the depth must be 6n+4: 10, 16, 22, 28, 34, 40, …"
        case "torchvision" | "timm" as library:
            return _library_problem(library, name)
    return None


def keys_of(name: str) -> Sequence[str] | None:
    """The keys beside `name` that apply to this network; None for an unknown one."""
    found = family(name)
    return None if found is None else _KEYS[found]


def wrn_sizes(name: str) -> tuple[int, int]:
    """Depth and widening factor in `wrn_<depth>_<width>`."""
    match = _WRN.fullmatch(name)
    assert match is not None
    return int(match[1]), int(match[2])


def pretrained_problem(name: str) -> str | None:
    """Why `pretrained` cannot be true for a known `name`, or None; whether the weights are at hand is not looked at."""
    library, _, inner = name.partition("/")
    if library == "timm":
        import timm

        if not timm.is_model_pretrained(inner):
            return f"timm has no weights for {inner}"
    return None


def input_problem(name: str, input_shape: tuple[int, ...], vocabulary_size: int | None) -> str | None:
    """Why the network can't take a data set's inputs, as far as can be told without building it, or None."""
    kind = family(name)
    if kind == "transformer":
        if vocabulary_size is None or len(input_shape) != 1:
            return f"needs token ids [length]; the data set's inputs are {_shape(input_shape, vocabulary_size)}"
        return None
    if vocabulary_size is not None:
        return "can't read token ids; of the built-in networks, transformer does"
    if kind == "mlp":
        return None
    if len(input_shape) != 3:
        return f"needs images [channels, height, width]; the data set's inputs are {list(input_shape)}"
    if kind == "torchvision" and input_shape[0] not in (1, 3):
        return f"needs images of 1 or 3 channels, not {input_shape[0]}; timm/<name> takes any number"
    return None


def _shape(input_shape: tuple[int, ...], vocabulary_size: int | None) -> str:
    return f"{list(input_shape)} {'numbers' if vocabulary_size is None else 'token ids'}"


def _library_problem(library: str, name: str) -> str | None:
    from kdsearch.config.suggest import did_you_mean

    inner = name.partition("/")[2]
    if library == "torchvision":
        from torchvision import models

        names = models.list_models(module=models)
        known = inner in names
    else:
        try:
            import timm
        except ImportError:
            return "needs timm: pip install 'kdsearch[timm]'"
        known = timm.is_model(inner)
        names = [] if known else timm.list_models()
    if known:
        return None
    return f"{library} has no such classifier{did_you_mean(name, [f'{library}/{other}' for other in names])}"
