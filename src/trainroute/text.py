"""Text from outside made safe to show to a person."""

import sys
from unicodedata import category

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Write control characters, such as those that steer a terminal or turn the direction of text, as escapes.

    Everything that a person reads goes through here: lines and tables on stdout, log lines and errors on stderr, cells
    of Markdown.

    Examples
    --------
    >>> printable("A\x1b[2JB")
    'A\\x1b[2JB'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if category(c) in _HIDDEN else c for c in text)


def print_lines(*lines: str) -> None:
    """Print plain lines on stdout."""
    sys.stdout.writelines(f"{printable(line)}\n" for line in lines)
