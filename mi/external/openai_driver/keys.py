"""Keys and endpoints: read from the environment, `.env` and mi-keys.toml when first needed; no key is current.

A key belongs to one endpoint and is sent to no other. See docs/keys.md.
"""

import functools
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from mi.config import home
from mi.external.openai_driver.endpoints import PROVIDERS, Capabilities, Endpoint, Kind
from mi.utils.errors import UserError

Purpose = Literal["evaluate", "finetune"]
KEYS_FILE = "mi-keys.toml"
_VARIABLE = re.compile(r"OPENAI_API_KEY(?:_(?P<name>\w+))?")
_KEY_FIELDS = ("env", "endpoint", "organization", "project", "may")
_ENDPOINT_FIELDS = {f.name for f in fields(Endpoint)} - {"name", "changes"}
_CAPABILITY_FIELDS = {f.name for f in fields(Capabilities)}


@dataclass(frozen=True)
class Key:
    """A secret with its endpoint, its organisation, and what it may be used for."""

    name: str
    secret: str | None = field(repr=False)
    """None for a server that asks for no key."""
    endpoint: Endpoint
    organization: str | None = None
    project: str | None = None
    may: tuple[Purpose, ...] = ("evaluate", "finetune")


@dataclass(frozen=True)
class Keyring:
    """All keys and declared endpoints, in the order in which they are tried."""

    keys: tuple[Key, ...]
    endpoints: Mapping[str, Endpoint]
    default: Endpoint
    where: Path
    """The folder whose `.env` and mi-keys.toml were read."""

    def endpoint(self, name: str | None) -> Endpoint:
        """The endpoint of a name or a base URL; the default one for None. Raises UserError for an unknown name."""
        if name is None:
            return self.default
        if name in self.endpoints:
            return self.endpoints[name]
        if re.match(r"https?://", name):
            return _by_url(name, self.endpoints)
        raise UserError(
            f"{name!r} is no endpoint; give a base URL, {', '.join(PROVIDERS)}, or declare "
            f"[endpoints.{name}] in {self.where / KEYS_FILE}."
        )

    def candidates(self, endpoint: Endpoint, purpose: Purpose) -> tuple[Key, ...]:
        """The keys of an endpoint that may do this, at least one. Raises UserError where there is none."""
        here = [key for key in self.keys if key.endpoint.base_url == endpoint.base_url]
        able = tuple(key for key in here if purpose in key.may)
        if able:
            return able
        if here:
            names = ", ".join(key.name for key in here)
            raise UserError(f"{names}: no key of {endpoint.title} may {purpose}; allow it by `may` (docs/keys.md).")
        if not (endpoint.needs_key if endpoint.needs_key is not None else not endpoint.is_near):
            return (Key("none", None, endpoint),)
        raise UserError(self._missing(endpoint))

    def _missing(self, endpoint: Endpoint) -> str:
        provider = endpoint.provider if endpoint.provider in PROVIDERS else "openai"
        variable = f"{str(provider).upper()}_API_KEY"
        if endpoint.provider is None and endpoint != self.default:
            return (
                f"{endpoint.title}: there is no key for this endpoint; declare one in {self.where / KEYS_FILE} "
                f"([keys.NAME] with env and endpoint), or needs_key = false for it."
            )
        return f"{variable} is not set; export it, or write it into {self.where / '.env'} (docs/keys.md)."


def read_keyring() -> Keyring:
    """What the environment, `.env` and mi-keys.toml of the home folder say; the shell's environment wins over `.env`.

    Raises UserError for a file that cannot be read, and for a key that no header can carry.
    """
    values = {**_dotenv(home() / ".env"), **os.environ}
    declared = _declared(home() / KEYS_FILE)
    endpoints = {name: Endpoint(url, name, kind=_kind(name)) for name, url in PROVIDERS.items()}
    for name, table in declared.get("endpoints", {}).items():
        endpoints[name] = _endpoint(name, table)
    default = _by_url(values.get("OPENAI_BASE_URL") or PROVIDERS["openai"], endpoints)
    ring = Keyring((), endpoints, default, home())
    tables = {name: {} for name in sorted(_names(values))} | declared.get("keys", {})
    keys = [key for name, table in tables.items() if (key := _key(ring, name, table, values))]
    first = [key for key in keys if key.name in PROVIDERS]
    return Keyring((*first, *(key for key in keys if key not in first)), endpoints, default, home())


def _names(values: Mapping[str, str]) -> list[str]:
    """The keys that the environment alone gives: `openai`, other providers by their name, and OPENAI_API_KEY_<NAME>."""
    extra = [match["name"].lower() for name in values if (match := _VARIABLE.fullmatch(name)) and match["name"]]
    return [*PROVIDERS, *extra]


def _key(ring: Keyring, name: str, table: Mapping[str, Any], values: Mapping[str, str]) -> Key | None:
    """The key of a name; None where its secret is not set."""
    suffix = "" if name in PROVIDERS else f"_{name.upper()}"
    provider = name.upper() if name in PROVIDERS else "OPENAI"
    variable = table.get("env", f"{provider}_API_KEY{suffix}")
    secret = (values.get(variable) or "").strip()
    if not secret:
        return None
    if not (secret.isascii() and secret.isprintable() and " " not in secret):
        raise UserError(f"{variable} holds characters that no key has; copy the key again, in one line.")
    where = table.get("endpoint") or values.get(f"{provider}_BASE_URL{suffix}")
    fallback = ring.endpoints[name] if name in PROVIDERS and name != "openai" else ring.default
    may = table.get("may") or re.findall(r"[^\s,]+", values.get(f"{provider}_MAY{suffix}", ""))
    if unknown := sorted(set(may) - set(get_args(Purpose))):
        raise UserError(f"the key {name} may {', '.join(unknown)}; give evaluate, finetune or both.")
    return Key(
        name,
        secret,
        ring.endpoint(where) if where else fallback,
        organization=table.get("organization") or values.get(f"{provider}_ORG_ID{suffix}") or None,
        project=table.get("project") or values.get(f"{provider}_PROJECT_ID{suffix}") or None,
        may=tuple(may) or get_args(Purpose),
    )


def _endpoint(name: str, table: Mapping[str, Any]) -> Endpoint:
    known = {**table, "base_url": str(table.get("base_url") or PROVIDERS.get(name, "")).rstrip("/")}
    if not re.match(r"https?://[^/\s]+", known["base_url"]):
        raise UserError(f"{KEYS_FILE}, [endpoints.{name}]: base_url is missing; give one that begins with http.")
    if known.get("kind") not in (None, *get_args(Kind)):
        raise UserError(f"{KEYS_FILE}, [endpoints.{name}]: kind is one of {', '.join(get_args(Kind))}.")
    changes = tuple(sorted((field, known.pop(field)) for field in _CAPABILITY_FIELDS & known.keys()))
    return Endpoint(**known, name=name, changes=changes)


def _by_url(url: str, endpoints: Mapping[str, Endpoint]) -> Endpoint:
    url = url.rstrip("/")
    return next((endpoint for endpoint in endpoints.values() if endpoint.base_url == url), Endpoint(url))


def _kind(name: str) -> Kind:
    return next(kind for kind in get_args(Kind) if kind == name)


def _declared(path: Path) -> dict[str, Any]:
    """The tables of mi-keys.toml, with known names only; empty where there is no file."""
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML ({error}); see docs/keys.md for its form.") from error
    _check_names(path, "the file", content, ("keys", "endpoints"))
    allowed: dict[str, Sequence[str]] = {
        "keys": _KEY_FIELDS,
        "endpoints": sorted(_ENDPOINT_FIELDS | _CAPABILITY_FIELDS),
    }
    for group, tables in content.items():
        _check_names(path, f"[{group}]", tables, list(tables) if isinstance(tables, Mapping) else ())
        for name, table in tables.items():
            _check_names(path, f"[{group}.{name}]", table, allowed[group])
    return content


def _check_names(path: Path, where: str, table: Any, known: Sequence[str]) -> None:
    if not isinstance(table, Mapping):
        raise UserError(f"{path}: {where} is not a table; see docs/keys.md for its form.")
    if unknown := sorted(table.keys() - set(known)):
        raise UserError(f"{path}, {where}: unknown {', '.join(unknown)}; known are {', '.join(known)}.")


def _dotenv(path: Path) -> dict[str, str]:
    return _parsed_dotenv(path, path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else {}


@functools.lru_cache(maxsize=8)
def _parsed_dotenv(path: Path, changed: int, size: int) -> dict[str, str]:
    """The values of a file; when it was changed and its size serve to notice a change."""
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}
