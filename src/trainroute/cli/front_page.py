"""The help page of the program itself, drawn without the libraries that draw those of its commands.

To import them takes longer than all else that this page needs. It looks as theirs do, and a test holds it to that.
"""

import sys
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from textwrap import wrap

from trainroute.cli.commands import ABOUT, COMMANDS, PROGRAM
from trainroute.config.terminal import wants_colors

_ASKING = ((), ("--help",), ("-h",))
_OPTIONS = {"--help (-h)": "Display this message and exit.", "--version": "Display application version."}
_LEAST_WIDTH = 40  # names and texts side by side
_BOLD, _CYAN, _PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[0m"


def is_asked_for(tokens: Sequence[str]) -> bool:
    """Whether the tokens ask for this page, and stdout can show its frame."""
    return tuple(tokens) in _ASKING and sys.stdout.encoding.lower().startswith("utf")


def show() -> None:
    """Print the page on stdout."""
    width = max(get_terminal_size().columns, _LEAST_WIDTH)
    sys.stdout.writelines(f"{line}\n" for line in page(width, colors=wants_colors(sys.stdout)))


def page(width: int, *, colors: bool) -> Iterator[str]:
    """Yield the lines of the page, ``width`` columns wide."""
    bold, cyan, plain = (_BOLD, _CYAN, _PLAIN) if colors else ("", "", "")
    yield f"{bold}Usage: {plain}{bold}{PROGRAM} COMMAND{plain}"
    yield from ("", *wrap(ABOUT, width), "")
    rows = {name: line for name, (_, line) in sorted(COMMANDS.items())} | _OPTIONS
    names = max(map(len, rows))
    inner = width - len("│ " + " │")
    yield f"╭{'─ Commands ':─<{inner + 2}}╮"
    for name, text in rows.items():
        first, *more = wrap(text, inner - names - 2)
        yield f"│ {cyan}{name:{names}}{plain}{cyan}  {plain}{first:{inner - names - 2}} │"
        for line in more:
            yield f"│ {cyan}{'':{names + 2}}{plain}{line:{inner - names - 2}} │"
    yield f"╰{'':─<{inner + 2}}╯"
