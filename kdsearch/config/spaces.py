"""Search spaces: YAML files that Hydra offers as the group `search_space`."""

from __future__ import annotations

from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

import kdsearch
from kdsearch.errors import Problem

GROUP = "search_space"


def shipped_folder() -> Path:
    """The folder of the spaces that come with kdsearch: inside the installed package, or a checkout's top level."""
    package = Path(kdsearch.__file__).parent
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def space_files() -> dict[str, Path]:
    """Name → file of every space: the shipped ones, and those of `search_spaces/` in the current folder, which win."""
    folders = (shipped_folder(), Path.cwd() / "search_spaces")
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def register_spaces() -> dict[str, Problem]:
    """Offer every readable space to Hydra; returns what is wrong with the others, by name."""
    store = ConfigStore.instance()
    store.repo.pop(GROUP, None)
    unreadable = {}
    for name, file in space_files().items():
        try:
            node = OmegaConf.load(file)
        except (YAMLError, OmegaConfBaseException, OSError, UnicodeDecodeError) as error:
            unreadable[name] = Problem(GROUP, name, f"{file} cannot be read: {_one_line(error)}")
            continue
        if isinstance(node, DictConfig):
            store.store(group=GROUP, name=name, node=node)
        else:
            unreadable[name] = Problem(GROUP, name, f"{file} must hold `parameters:`")
    return unreadable


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
