"""Texts that lie in a package as TOML."""

import functools
import importlib.resources
import tomllib
from typing import Any


@functools.cache
def packaged_toml(package: str, path: str) -> dict[str, Any]:
    """The tables of a TOML file of a package, `path` with slashes; read once, not to be changed."""
    text = importlib.resources.files(package).joinpath(*path.split("/")).read_text(encoding="utf-8")
    return tomllib.loads(text)
