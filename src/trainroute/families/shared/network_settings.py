"""What the PyTorch and the Keras families read from their hyperparameters alike."""

from collections.abc import Mapping

from trainroute.errors import ConfigError
from trainroute.families.base import FitContext, Hyperparameter
from trainroute.networks.schedule import Schedule

_MAY_BE_NOTHING = {
    "dropout": "0 or more and below 1",
    **dict.fromkeys(
        (
            "weight_decay",
            "head_width",
            "sibling_weight",
            "generated_share",
            "moment_weight",
            "reconstruction_weight",
            "divergence_weight",
        ),
        "0 or more",
    ),
}


def check_sizes(family: str, settings: Mapping[str, Hyperparameter]) -> None:
    """Check that a network can have such hyperparameters: numbers above 0, but for a few that may be 0.

    Raises
    ------
    ConfigError
        For the first that it cannot have.
    """
    for key, value in settings.items():
        number = float(value or 0.0)
        if number < 0.0 or (number == 0.0 and key not in _MAY_BE_NOTHING) or (key == "dropout" and number >= 1.0):
            expected = _MAY_BE_NOTHING.get(key, "a number above 0")
            raise ConfigError(f"training.families.{family}.hyperparameters.{key}: expected {expected}, got {value!r}")


def schedule(context: FitContext) -> Schedule:
    """Read the hyperparameters of the same names."""
    return Schedule(
        epochs=context.integer("epochs"),
        patience=context.integer("patience"),
        epochs_without_validation=context.integer("epochs_without_validation"),
        batch_rows=context.integer("batch_rows"),
        batches_per_epoch=context.integer("batches_per_epoch"),
        learning_rate=context.number("learning_rate"),
        weight_decay=context.number("weight_decay"),
    )
