"""QuantileLightGBM: the conditional distribution of a value, as several quantiles that never cross.

1. Fit one booster per quantile on the pinball loss ``max(q·(y − f), (q − 1)·(y − f))`` (`_fit`).
2. Sort each row's quantiles (`QuantileModel.quantiles`): the monotone rearrangement, never further from the truth than
   the unsorted ones.
3. Predict the mean of the quantile function: linear between the quantiles, constant beyond the outermost ones
   (`_mean_weights`). Extreme outcomes thus do not move the prediction.

References
----------
Koenker & Bassett, "Regression Quantiles", Econometrica 46, 1978.
Chernozhukov, Fernández-Val & Galichon, "Quantile and Probability Curves Without Crossing", Econometrica 78, 2010.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.errors import ConfigError
from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import (
    BOOSTING_HYPERPARAMETERS,
    LightGBMModel,
    Rounds,
    fit_lightgbm,
    joined,
    lightgbm_parameters,
    load_lightgbm,
    refit_lightgbm,
)
from trainroute.records.vocabulary import Stage, Task

_INDEX = "quantiles.json"


class QuantileModel(FittedModel):
    """One booster per quantile.

    Attributes
    ----------
    levels : tuple of float
        Ascending, each between 0 and 1.
    boosters : tuple of LightGBMModel
        In the order of ``levels``.
    """

    def __init__(self, levels: tuple[float, ...], boosters: tuple[LightGBMModel, ...]) -> None:
        self.levels = levels
        self.boosters = boosters

    @property
    def files(self) -> tuple[str, ...]:
        """A text model per quantile, and the quantiles."""
        return (*(booster.file_name for booster in self.boosters), _INDEX)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The number of boosting rounds of each quantile."""
        counts = (booster.booster.current_iteration() for booster in self.boosters)
        return {f"rounds_{level:g}": count for level, count in zip(self.levels, counts, strict=True)}

    def quantiles(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Return the quantiles of each row, shape (n_rows, n_levels), ascending within a row."""
        return np.sort(np.stack([booster.predict(rows, threads=threads) for booster in self.boosters], axis=1), axis=1)

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict the mean of each row's quantile function; see `FittedModel.predict`."""
        weighted = self.quantiles(rows, threads=threads) * _mean_weights(self.levels)
        return np.asarray(weighted.sum(axis=1), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write a text model per quantile, and which file is which quantile."""
        for booster in self.boosters:
            booster.save(folder)
        (folder / _INDEX).write_bytes(msgspec.json.encode(self.levels))


class QuantileLightGBM(Family):
    """Several quantiles of a value by boosted trees, sorted so that they never cross."""

    name: ClassVar[str] = "QuantileLightGBM"
    stage: ClassVar[Stage] = Stage.CPU
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REGRESSION})
    min_rows: ClassVar[int] = 300
    requires: ClassVar[tuple[str, ...]] = ("lightgbm",)
    fixed_seconds: ClassVar[float] = 0.2
    seconds_per_million_rows: ClassVar[float] = 340.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**BOOSTING_HYPERPARAMETERS, "rounds": 200, "patience": 15, "quantiles": "0.1 0.25 0.5 0.75 0.9"}
    )

    @classmethod
    def resolve(cls, overrides: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Merge overrides into the defaults; see `Family.resolve`.

        Raises
        ------
        ConfigError
            If ``quantiles`` is not a list of ascending numbers between 0 and 1, too.
        """
        resolved = super().resolve(overrides)
        _levels(resolved)
        return resolved

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        levels = _levels(context.hyperparameters)
        rows = joined(train, validation)
        boosters = []
        for level in levels:
            parameters = lightgbm_parameters(context) | {"objective": "quantile", "alpha": level}
            booster = fit_lightgbm(train, validation, parameters, Rounds.of(context))
            if len(validation):
                booster = refit_lightgbm(rows, parameters, booster.current_iteration())
            boosters.append(LightGBMModel(booster, _file_name(level)))
        return QuantileModel(levels, tuple(boosters))

    def load(self, folder: Path) -> FittedModel:
        """Read back the text models."""
        levels = msgspec.json.decode((folder / _INDEX).read_bytes(), type=tuple[float, ...])
        return QuantileModel(levels, tuple(load_lightgbm(folder, _file_name(level)) for level in levels))


def _file_name(level: float) -> str:
    return f"quantile_{level:g}.txt"


def _levels(hyperparameters: Mapping[str, Hyperparameter]) -> tuple[float, ...]:
    """Read ``quantiles``: numbers in a string, since a hyperparameter is one value."""
    given = str(hyperparameters["quantiles"])
    try:
        levels = tuple(float(level) for level in given.split())
    except ValueError:
        levels = ()
    edges = (0.0, *levels, 1.0)
    # Six digits name a quantile in its file name; equal names are equal quantiles.
    apart = len({_file_name(level) for level in edges}) == len(edges)
    if not levels or not apart or any(not low < high for low, high in pairwise(edges)):
        where = f"training.families.{QuantileLightGBM.name}.hyperparameters.quantiles"
        raise ConfigError(f"{where}: expected ascending numbers between 0 and 1, such as '0.1 0.5 0.9', got {given!r}")
    return levels


def _mean_weights(levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Weights of the quantiles in the mean of their function, shape (n_levels,), adding up to one.

    The integral over 0 … 1 by the trapezoidal rule; below the first level the function is the first quantile, above
    the last one the last.
    """
    edges = np.array([-levels[0], *levels, 2.0 - levels[-1]])
    return np.asarray((edges[2:] - edges[:-2]) / 2.0, dtype=np.float64)
