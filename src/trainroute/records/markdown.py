"""Tables for people: Markdown in which any name is safe."""

import re
from collections.abc import Iterable, Sequence

from trainroute.text import printable

_LONGEST = 200
_MARKUP = re.compile(r"[\\`*\[\]<>|~$&#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def cell(value: object) -> str:
    r"""Write a value as one table cell: no line breaks, no column separators, no markup and no call from a name.

    An underscore within a word is no markup and stays, so that plain names stay readable. A comment after ``@`` keeps a
    page on a forge from calling somebody.

    Examples
    --------
    >>> cell("y_up_5d"), cell("_a|b_"), cell("@all")
    ('y_up_5d', '\\_a\\|b\\_', '@<!-- -->all')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    text = printable(" ".join(str(value).split()))
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return _MARKUP.sub(r"\\\g<0>", text).replace("@", "@<!-- -->")


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
