"""The console on stdout, of help pages too."""

import sys

from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 120
_LEAST_WIDTH = 40  # Rich never ends wrapping a help page into two columns, and breaks names in twenty


class PipedConsole(Console):
    """A console that leaves a pipe without a reader to `trainroute.cli.entry`, instead of ending the program."""

    def __init__(self, *, width: int | None = None, highlight: bool = True) -> None:
        super().__init__(width=width, highlight=highlight)
        self.width = max(self.width, _LEAST_WIDTH)

    def on_broken_pipe(self) -> None:
        """Raise; Rich would exit with 1."""
        raise BrokenPipeError


def stdout_console() -> PipedConsole:
    """Return a console on stdout; without a terminal it is wide enough for the tables."""
    return PipedConsole(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL, highlight=False)
