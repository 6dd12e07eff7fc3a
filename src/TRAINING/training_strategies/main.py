"""``python -m TRAINING.training_strategies.main``: train by the plan that is there, or without one."""

__all__ = ["main"]


def main() -> None:
    """Train with the arguments of the command line."""
    from trainroute.cli import compatibility_main

    compatibility_main("TRAINING.training_strategies.main")


if __name__ == "__main__":
    main()
