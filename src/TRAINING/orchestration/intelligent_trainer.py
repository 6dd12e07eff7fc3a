"""The one command, as a class and as ``python -m TRAINING.orchestration.intelligent_trainer``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainroute.compat import IntelligentTrainer

__all__ = ["IntelligentTrainer", "main"]


def __getattr__(name: str) -> object:
    """Import the class when it is asked for, so that ``--help`` comes at once."""
    if name != "IntelligentTrainer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trainroute import compat

    return compat.IntelligentTrainer


def main() -> None:
    """Run the one command with the arguments of the command line."""
    from trainroute.cli import compatibility_main

    compatibility_main("TRAINING.orchestration.intelligent_trainer")


if __name__ == "__main__":
    main()
