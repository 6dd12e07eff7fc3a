"""Names and globs: how pins and selectors say which targets, symbols, families or jobs they mean."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from trainroute.errors import UnknownNameError


def is_glob(pattern: str) -> bool:
    """Whether a pattern may match other names than itself."""
    return any(character in pattern for character in "*?[")


def matching(pattern: str, names: Iterable[str]) -> set[str]:
    """Return the names that a pattern matches: the name itself, or ``*``, ``?`` and ``[…]`` as in a shell.

    Examples
    --------
    >>> sorted(matching("y_*_5d", ["y_up_5d", "y_up_1d"]))
    ['y_up_5d']
    >>> matching("odd[1]", ["odd[1]", "odd1"]) == {"odd[1]", "odd1"}
    True
    """
    if not is_glob(pattern):
        return {name for name in names if name == pattern}
    return {name for name in names if name == pattern or fnmatchcase(name, pattern)}


def selected(kind: str, patterns: Sequence[str], known: Iterable[str]) -> set[str]:
    """Return the known names that at least one pattern matches.

    Raises
    ------
    UnknownNameError
        If a pattern matches none; the message suggests the nearest name.
    """
    known = set(known)
    found = set()
    for pattern in patterns:
        these = matching(pattern, known)
        if not these:
            raise UnknownNameError(kind, pattern, known)
        found |= these
    return found
