"""Which settings differ between two configs, by their keys."""

from collections.abc import Mapping
from typing import Any

from trainroute.config.identity import WRITTEN_AS


def changed_settings(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> dict[str, tuple[Any, Any]]:
    """Return the values of the keys that differ, before and after; what only says how files are written is left out.

    Parameters
    ----------
    before, after : mapping of str to object
        Nested settings.
    prefix : str
        What stands before each key, such as ``routing``.

    Examples
    --------
    >>> changed_settings({"symbol": {"min_score": 0.53}}, {"symbol": {"min_score": 0.55}}, "routing")
    {'routing.symbol.min_score': (0.53, 0.55)}
    """
    changed: dict[str, tuple[Any, Any]] = {}
    for name in sorted({*before, *after}.difference(WRITTEN_AS)):
        old, new, key = before.get(name), after.get(name), f"{prefix}.{name}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed |= changed_settings(old, new, key)
        elif old != new:
            changed[key] = (old, new)
    return changed
