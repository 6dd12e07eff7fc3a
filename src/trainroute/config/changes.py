"""Which settings differ between two configs, by their keys."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from trainroute.config.identity import WRITTEN_AS

PINS = "routing.pins"

_Settings = Mapping[str, Any]


def changed_settings(before: _Settings, after: _Settings, prefix: str) -> dict[str, tuple[Any, Any]]:
    """Return the values of the keys that differ, before and after; what only says how files are written is left out.

    Of pins each that differs stands by itself, as ``routing.pins[target · symbol: reason]`` with what it asks for, None
    where there is none; their order does not matter.

    Parameters
    ----------
    before, after : mapping of str to object
        Nested settings, as JSON holds them.
    prefix : str
        What stands before each key, such as ``routing``.

    Examples
    --------
    >>> changed_settings({"symbol": {"min_score": 0.53}}, {"symbol": {"min_score": 0.55}}, "routing")
    {'routing.symbol.min_score': (0.53, 0.55)}
    >>> pin = {"target": "y", "force": "ROUTE_BLOCKED", "reason": "bad feed", "expires": "2027-01-31"}
    >>> changed_settings({"pins": []}, {"pins": [pin]}, "routing")
    {'routing.pins[y: bad feed]': (None, 'force BLOCKED until 2027-01-31')}
    """
    changed: dict[str, tuple[Any, Any]] = {}
    for name in sorted({*before, *after}.difference(WRITTEN_AS)):
        old, new, key = before.get(name), after.get(name), f"{prefix}.{name}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed |= changed_settings(old, new, key)
        elif old != new and key == PINS and _are_pins(old) and _are_pins(new):
            changed |= _changed_pins(old, new)
        elif old != new:
            changed[key] = (old, new)
    return changed


def _are_pins(given: object) -> TypeGuard[list[_Settings]]:
    """Whether a value has the form of pins; what an edited plan records may be anything."""
    needed = {"target", "reason", "expires"}
    return isinstance(given, list) and all(isinstance(pin, Mapping) and needed <= pin.keys() for pin in given)


def _changed_pins(before: Iterable[_Settings], after: Iterable[_Settings]) -> dict[str, tuple[Any, Any]]:
    old, new = _wishes(before), _wishes(after)
    both = [(name, old.get(name), new.get(name)) for name in sorted({*old, *new})]
    return {f"{PINS}[{name}]": (was, now) for name, was, now in both if was != now}


def _wishes(pins: Iterable[_Settings]) -> dict[str, str]:
    """Return what pins ask for, by what they mean; of several that mean the same all in one text."""
    found: dict[str, list[str]] = {}
    for pin in pins:
        place = pin["target"] if pin.get("symbol") is None else f"{pin['target']} · {pin['symbol']}"
        forced, forbidden = pin.get("force"), pin.get("forbid") or ()
        routes = ", ".join(str(route).removeprefix("ROUTE_") for route in ([forced] if forced else forbidden))
        wish = f"{'force' if forced else 'forbid'} {routes} until {pin['expires']}"
        found.setdefault(f"{place}: {pin['reason']}", []).append(wish)
    return {name: "; ".join(sorted(wishes)) for name, wishes in found.items()}
