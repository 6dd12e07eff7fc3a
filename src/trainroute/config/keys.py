"""Dotted keys, such as ``routing.symbol.min_score``, of settings as nested mappings."""

from collections.abc import Mapping
from typing import Any

from trainroute.errors import ConfigError


def put(document: dict[str, Any], key: str, value: object) -> None:
    """Change the value at a dotted key of nested mappings.

    Raises
    ------
    ConfigError
        If the key leads through something that is no mapping.
    """
    *parents, last = key.split(".")
    at: Any = document
    for number, part in enumerate(parents):
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            raise ConfigError(f"{key}: {'.'.join(parents[: number + 1])} is one value, it has no keys below it")
    at[last] = value


def flat_settings(document: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the values of nested mappings by their dotted keys, each below ``prefix``, if there is one.

    Examples
    --------
    >>> flat_settings({"symbol": {"min_score": 0.53}}, "routing")
    {'routing.symbol.min_score': 0.53}
    """
    flat: dict[str, Any] = {}
    for name, value in document.items():
        key = f"{prefix}.{name}" if prefix else name
        flat |= flat_settings(value, key) if isinstance(value, Mapping) and value else {key: value}
    return flat
