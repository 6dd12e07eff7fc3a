"""The console on stdout, of help pages too."""

import sys

from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 120


class PipedConsole(Console):
    """A console that leaves a pipe without a reader to `trainroute.cli.entry`, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Raise; Rich would exit with 1."""
        raise BrokenPipeError


def stdout_console() -> PipedConsole:
    """Return a console on stdout; without a terminal it is wide enough for the tables."""
    return PipedConsole(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL, highlight=False)
