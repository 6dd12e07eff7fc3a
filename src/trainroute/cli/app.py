"""The program's commands. Each is imported when it is called, so that the help page costs no heavy import."""

from functools import cached_property
from typing import TYPE_CHECKING, cast

from cyclopts import App

from trainroute import __version__

if TYPE_CHECKING:
    from rich.console import Console

COMMANDS = {
    "run": ("training", "The one command: rank, select, measure, route, plan, train."),
    "train": ("training", "Train by the plan that is there, or without one."),
    "predict": ("predicting", "Predict new rows with the trained models, as the plan routes them."),
    "route": ("routing", "Turn a candidates table of your own into a routing plan and a training plan."),
    "show": ("plans", "Print a plan: routes, jobs, families."),
    "validate": ("plans", "Check a plan: schema, consistency, staleness, names."),
    "explain": ("explaining", "Say why pairs are routed as they are, and what would change it."),
    "diff": ("comparing", "Compare two plans: jobs, routes, and why."),
    "families": ("families", "List the model families: what they can do, and whether they are installed."),
    "prepare": ("data", "Turn OHLCV bars into features and targets."),
    "sample": ("data", "Write the real sample data."),
    "init": ("data", "Write an editable config."),
}

COMPATIBILITY = {
    "TRAINING.orchestration.intelligent_trainer": ("intelligent_trainer", COMMANDS["run"][1]),
    "TRAINING.training_strategies.main": ("training_main", COMMANDS["train"][1]),
}


def build_app() -> App:
    """Return the program: one help page, every command loaded when it is called."""
    about = "Decide where to train (pooled, per symbol, both, experiment, nothing), then train exactly that."
    app = _app("trainroute", about)
    for name, (module, line) in COMMANDS.items():
        app.command(f"trainroute.cli.{module}:{name}", name=name, help=line)
    return app


def build_compatibility_app() -> App:
    """Return the program behind ``python -m TRAINING.…``: the same commands, with all families by default."""
    app = _app("python -m", "The names under which earlier users know trainroute.")
    for module, (name, line) in COMPATIBILITY.items():
        app.command(f"trainroute.cli.training:{name}", name=module, help=line)
    return app


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
        from trainroute.report.console import PipedConsole  # noqa: PLC0415 - see above

        return PipedConsole()

    def __getattr__(self, name: str) -> object:
        return getattr(self._console, name)
