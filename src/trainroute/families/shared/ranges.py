"""Refuse hyperparameters that are numbers, but not numbers that the family can use."""

import math
from collections.abc import Mapping

from trainroute.errors import ConfigError
from trainroute.families.base import Hyperparameter


def check_numbers(
    family: str,
    values: Mapping[str, Hyperparameter],
    *,
    positive: tuple[str, ...] = (),
    at_least_0: tuple[str, ...] = (),
) -> None:
    """Check that some hyperparameters are finite, and positive or at least 0.

    Raises
    ------
    ConfigError
        If one is not; it is named.
    """
    for name in (*positive, *at_least_0):
        value = float(values[name] or 0.0)
        if not math.isfinite(value) or value < 0.0 or (value == 0.0 and name in positive):
            expected = "a number above 0" if name in positive else "a number of at least 0"
            raise ConfigError(f"training.families.{family}.hyperparameters.{name}: expected {expected}, got {value:g}")
