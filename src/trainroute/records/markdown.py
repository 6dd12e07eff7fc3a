"""Tables for people: Markdown in which any name is safe."""

from collections.abc import Iterable, Sequence
from unicodedata import category

_LONGEST = 200
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Write control characters, such as those that steer a terminal or turn the direction of text, as escapes.

    Examples
    --------
    >>> printable("A\x1b[2JB")
    'A\\x1b[2JB'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if category(c) in _HIDDEN else c for c in text)


def cell(value: object) -> str:
    """Write a value as one table cell: no line breaks, no column separators, no markup from a name."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    text = printable(" ".join(str(value).split()))
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return "".join(f"\\{c}" if c in "\\`*[]<>|" else c for c in text)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table; an empty one says so."""
    body = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    if not body:
        return "none\n"
    head = [f"| {' | '.join(headers)} |", f"|{'---|' * len(headers)}"]
    return "\n".join([*head, *body]) + "\n"


def bounded_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, total: int) -> str:
    """Write a table of the first of ``total`` rows, and how many there are in all."""
    more = f"\n{total} in all.\n" if total > len(rows) else ""
    return table(headers, rows) + more
