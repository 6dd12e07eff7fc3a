"""The one command, as a class and as ``python -m TRAINING.orchestration.intelligent_trainer``."""

from trainroute import pipeline

__all__ = ["IntelligentTrainer", "main"]


class IntelligentTrainer(pipeline.IntelligentTrainer):
    """`trainroute.IntelligentTrainer`, with all model families by default as users of this name expect."""

    default_model_types = "sequential"


def main() -> None:
    """Run the one command with the arguments of the command line."""
    from trainroute.cli import compatibility_main

    compatibility_main("TRAINING.orchestration.intelligent_trainer")


if __name__ == "__main__":
    main()
