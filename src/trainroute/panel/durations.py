"""Durations as people write them (``10m``, ``5d``), and the horizon in a target's name."""

import re

_UNITS_US = {
    "s": 1_000_000,
    "min": 60_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|min|m|h|d|w)")


def parse_duration(text: str) -> int:
    """Return the microseconds of a number and a unit: s, m (or min), h, d or w.

    Raises
    ------
    ValueError
        If ``text`` is nothing of the kind.

    Examples
    --------
    >>> parse_duration("10m") // 1_000_000
    600
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a number and one of s, m, h, d, w, such as 10m or 5d, got {text!r}")
    return int(match[1]) * _UNITS_US[match[2]]


def format_duration(microseconds: int) -> str:
    """Write a duration in the largest unit that divides it.

    Examples
    --------
    >>> format_duration(600_000_000), format_duration(5 * 86_400_000_000)
    ('10m', '5d')
    """
    for unit in ("w", "d", "h", "m", "s"):
        if microseconds % _UNITS_US[unit] == 0 and (unit != "w" or microseconds > _UNITS_US["w"]):
            return f"{microseconds // _UNITS_US[unit]}{unit}"
    return f"{microseconds} µs"


def durations_in_name(name: str) -> tuple[str, ...]:
    """Return the parts of a name, between ``_`` or ``-``, that are durations, each length once.

    Examples
    --------
    >>> durations_in_name("y_will_swing_low_10m_0.20")
    ('10m',)
    """
    found = {parse_duration(part): part for part in reversed(re.split("[_-]", name)) if _DURATION.fullmatch(part)}
    return tuple(reversed(found.values()))
