"""Arguments to commands. Each command is imported when it is called, so that a help page costs no heavy import."""

from collections.abc import Sequence
from functools import cached_property, reduce
from operator import getitem
from typing import TYPE_CHECKING, cast

from cyclopts import App, CycloptsError, UnusedCliTokensError

from trainroute import __version__
from trainroute.cli.commands import ABOUT, COMMANDS, COMPATIBILITY, PROGRAM
from trainroute.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console


def build_app() -> App:
    """Return the program: one help page, every command loaded when it is called."""
    app = _app(PROGRAM, ABOUT)
    for name, (module, line) in COMMANDS.items():
        app.command(f"trainroute.cli.{module}:{name}", name=name, help=line)
    return app


def build_compatibility_app() -> App:
    """Return the program behind ``python -m TRAINING.…``: the same commands, with all families by default."""
    app = _app("python -m", "The names under which earlier users know trainroute.")
    for module, (name, line) in COMPATIBILITY.items():
        app.command(f"trainroute.cli.training:{name}", name=module, help=line)
    return app


def call(app: App, tokens: Sequence[str]) -> object:
    """Carry out the command that the tokens name.

    Raises
    ------
    UsageError
        If there is no such command, or it cannot take these arguments.
    """
    try:
        return app(tokens, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        raise _too_many(error, app) from error
    except CycloptsError as error:
        raise UsageError(str(error)) from error


def _too_many(error: UnusedCliTokensError, app: App) -> UsageError:
    """Return the error for arguments that a command has no place for."""
    chain = error.command_chain or ()
    command = " ".join((*app.name, *chain))
    places = [found for found in reduce(getitem, chain, app).assemble_argument_collection() if found.index is not None]
    names = [place.name.removeprefix("--").upper() for place in places]
    forms = [name if place.required else f"[{name}]" for name, place in zip(names, places, strict=True)]
    expected = f"expected '{' '.join((command, *forms))}' and options" if forms else f"'{command}' takes options only"
    stray = ", ".join(map(repr, error.unused_tokens or ()))
    return UsageError(f"cannot use {stray}: {expected}; leave the rest out, or see '{command} --help'")


def _app(name: str, about: str) -> App:
    return App(
        name=name,
        help=about,
        version=__version__,
        console=cast("Console", _PageConsole()),
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )


class _PageConsole:
    """A `PipedConsole` that is imported once a page is printed on it: most commands print none."""

    @cached_property
    def _console(self) -> "Console":
        from trainroute.report.console import PipedConsole

        return PipedConsole()

    def __getattr__(self, name: str) -> object:
        return getattr(self._console, name)
