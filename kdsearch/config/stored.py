"""Parts of a sweep's stored configuration, with their references followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdsearch.errors import InputError
from kdsearch.errors import Problem


def stored_part(config: Mapping[str, Any], key: str) -> Any:
    """The plain value under a dotted key; only the references inside it are followed.

    Raises:
        InputError: one of them leads nowhere, such as to a variable that the environment lacks.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        found = OmegaConf.select(OmegaConf.create(dict(config)), key)
        return OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
    except OmegaConfBaseException as error:
        cause = str(error).splitlines()[0].rpartition("resolving interpolation: ")[2]
        raise InputError([Problem(key, None, f"leads nowhere: {cause}")]) from None
